/** Takes the view to another position, smoothly unless the reader wants less motion. */

const MOVE_MS = 180;

export class MapMotion {
  /** @type {{from: any, target: any, began: number} | null} */
  #move = null;

  /** @param {import('./map-view.js').MapView} view */
  constructor(view) {
    this.view = view;
  }

  get isUnderWay() {
    return this.#move !== null;
  }

  /** @param {import('./map-view.js').Position} target */
  to(target) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.#move = null;
      this.view.position = target;
    } else {
      this.#move = { from: this.view.position, target, began: performance.now() };
    }
  }

  /** Where the view is now, it stays: somebody has taken hold of the map. */
  stop() {
    this.#move = null;
  }

  /** Goes on, as far as the time has. @param {number} now @returns {boolean} whether the scale is still changing */
  advance(now) {
    if (!this.#move) return false;
    const { from, target, began } = this.#move;
    const part = Math.min(1, Math.max(0, (now - began) / MOVE_MS));
    const eased = 1 - (1 - part) ** 3;
    const between = (a, b) => a + (b - a) * eased;
    this.view.position = part === 1 ? target : {
      scale: between(from.scale, target.scale), x: between(from.x, target.x), y: between(from.y, target.y),
    };
    if (part === 1) this.#move = null;
    return part < 1 && from.scale !== target.scale;
  }
}
