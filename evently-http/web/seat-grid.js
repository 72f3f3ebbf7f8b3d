/**
 * A hash grid over seat positions, for "which seat is here" and "which seats are in this rectangle". Built once per
 * layout: the seats of cell c are `items[starts[c]] … items[starts[c + 1] - 1]`.
 */
export class SeatGrid {
  /**
   * @param {Float32Array} xs @param {Float32Array} ys
   * @param {{left: number, top: number, right: number, bottom: number}} bounds of all seats
   * @param {number} pitch the usual distance between neighbours
   */
  constructor(xs, ys, bounds, pitch) {
    this.xs = xs;
    this.ys = ys;
    this.left = bounds.left;
    this.top = bounds.top;
    const width = bounds.right - bounds.left;
    const height = bounds.bottom - bounds.top;
    // Seats far apart would need more cells than seats; wider cells then.
    const cellsMax = 4 * xs.length + 64;
    this.cell = Math.max(2 * pitch, Math.sqrt((width * height) / cellsMax), Math.max(width, height) / cellsMax);
    this.columns = Math.floor(width / this.cell) + 1;
    this.rows = Math.floor(height / this.cell) + 1;
    this.#fill();
  }

  #fill() {
    const count = this.xs.length;
    const cellOf = new Uint32Array(count);
    this.starts = new Uint32Array(this.columns * this.rows + 1);
    for (let i = 0; i < count; i += 1) {
      cellOf[i] = this.#row(this.ys[i]) * this.columns + this.#column(this.xs[i]);
      this.starts[cellOf[i] + 1] += 1;
    }
    for (let c = 1; c < this.starts.length; c += 1) this.starts[c] += this.starts[c - 1];
    this.items = new Uint32Array(count);
    const next = this.starts.slice();
    for (let i = 0; i < count; i += 1) {
      this.items[next[cellOf[i]]] = i;
      next[cellOf[i]] += 1;
    }
  }

  #column(x) {
    return Math.min(this.columns - 1, Math.max(0, Math.floor((x - this.left) / this.cell)));
  }

  #row(y) {
    return Math.min(this.rows - 1, Math.max(0, Math.floor((y - this.top) / this.cell)));
  }

  /** Calls `visit(i)` for every seat in the cells that the rectangle touches: all inside it, and some near it. */
  forEachNear(left, top, right, bottom, visit) {
    const [c0, c1] = [this.#column(left), this.#column(right)];
    const [r0, r1] = [this.#row(top), this.#row(bottom)];
    for (let r = r0; r <= r1; r += 1) {
      const from = this.starts[r * this.columns + c0];
      const to = this.starts[r * this.columns + c1 + 1];
      for (let k = from; k < to; k += 1) visit(this.items[k]);
    }
  }

  /**
   * The seat nearest to a point, or -1 where none is within `reach`. Of several at one spot (places of an admission
   * area may share it) the first that `prefer` likes.
   * @param {(i: number) => boolean} prefer
   */
  nearest(x, y, reach, prefer) {
    let best = -1;
    let bestDistance = reach;
    this.forEachNear(x - reach, y - reach, x + reach, y + reach, (i) => {
      const distance = Math.hypot(this.xs[i] - x, this.ys[i] - y);
      const closer = distance < bestDistance || (best < 0 && distance <= reach);
      const tie = best >= 0 && distance === bestDistance && !prefer(best) && prefer(i);
      if (closer || tie) {
        best = i;
        bestDistance = distance;
      }
    });
    return best;
  }
}
