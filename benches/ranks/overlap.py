"""What it would save to add up gradients layer by layer while earlier layers are still computed: by the model of README.md.

python3 benches/ranks/overlap.py
"""

RANKS = 8
NETWORKS = [(10e9 / 8, 25e-6), (100e9 / 8, 3e-6)]  # bytes a second, and an assumed latency
MODELS = [([784, 512, 10], 0.501e-3), ([1024, 4096, 4096, 1000], 27.4e-3)]  # a step of one GPU: benches/gpu.md


def messages(values, bandwidth, latency):
    """The seconds of one sum, without the round before it."""
    return 2 * (RANKS - 1) / RANKS * 4 * values / bandwidth + 2 * (RANKS - 1) * latency


def steps(widths, computation, bandwidth, latency):
    """The seconds of a step that adds up everything at its end, and of one that adds up layer by layer."""
    layers = list(zip(widths, widths[1:]))
    products = [inputs * outputs for inputs, outputs in layers]
    values = [(inputs + 1) * outputs for inputs, outputs in layers]
    one_round = (RANKS - 1) * latency
    at_the_end = computation + one_round + messages(sum(values), bandwidth, latency)
    # A layer is three products of one size: forward, the gradient of its weights, and that of its inputs, which the first layer
    # does not need. The computation is divided among them.
    a_product = computation / (3 * sum(products) - products[0])
    now, free = sum(products) * a_product, 0.0
    for layer in reversed(range(len(layers))):
        now += products[layer] * a_product  # the gradient of its weights
        # The round exchanges values of the whole step, so it comes after everything is computed.
        ready = max(now, free) + (one_round if layer == 0 else 0)
        free = ready + messages(values[layer], bandwidth, latency)
        now += products[layer] * a_product  # the gradient of its inputs
    return at_the_end, free


for widths, computation in MODELS:
    for bandwidth, latency in NETWORKS:
        at_the_end, by_layers = steps(widths, computation, bandwidth, latency)
        print(
            f"{'-'.join(map(str, widths))}, {8 * bandwidth / 1e9:.0f} Gbit/s: {1e3 * at_the_end:.2f} ms at the end, "
            f"{1e3 * by_layers:.2f} ms by layers, which saves {100 * (1 - by_layers / at_the_end):.1f} %"
        )
