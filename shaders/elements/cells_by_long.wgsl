// cells_by_long: the same for software drivers, by fours as longs.wgsl has them.

alias Cell = vec2<u64>;

fn opened(cell: Cell) -> Value {
  return opened_long(cell);
}

fn closed(value: Value) -> Cell {
  return closed_long(value);
}

