// place: where a thread of a kernel that finds its rows in a matrix works. `Params` begins with `window: Window`.

@group(0) @binding(0) var<uniform> params: Params;

fn place(group: u32, local: vec2<u32>) -> Place {
  let row = group * ROWS + local.y;
  let inside = row < params.window.rows;
  let cols = select(0u, params.window.cols, inside);
  return Place(group, row, row * params.window.cols, cols, inside, local.x, local);
}

