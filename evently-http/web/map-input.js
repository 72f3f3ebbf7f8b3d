/** Turns pointers, the wheel and keys on the map into what they mean: pan, zoom, tap, hover, move, toggle. */

/** Movement below this many CSS pixels is a tap. */
const SLOP = { mouse: 4, pen: 8, touch: 10 };
const WHEEL_LINE_PX = 16;

/**
 * @typedef {object} MapActions
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, x: number, y: number) => void} zoom around a point of the map
 * @property {(x: number, y: number, pointerType: string) => void} tap
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave
 * @property {(command: string) => void} command left, right, up, down, home, end, toggle, in, out, fit
 */

/** @param {HTMLCanvasElement} canvas @param {MapActions} actions @param {AbortSignal} signal */
export function listen(canvas, actions, signal) {
  listenToPointers(canvas, actions, signal);
  listenToWheel(canvas, actions, signal);
  listenToKeys(canvas, actions, signal);
}

function pointOf(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function listenToPointers(canvas, actions, signal) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let start = null;
  let moved = false;

  const press = (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, pointOf(canvas, event));
    // A second finger makes it a pinch, which never ends as a tap.
    moved = down.size > 1;
    start = pointOf(canvas, event);
  };

  const move = (event) => {
    const now = pointOf(canvas, event);
    const before = down.get(event.pointerId);
    if (!before) return actions.hover(now.x, now.y);
    if (!moved && Math.hypot(now.x - start.x, now.y - start.y) < (SLOP[event.pointerType] ?? 8)) return;
    if (!moved) {
      moved = true;
      actions.leave();
      canvas.classList.add('is-panning');
    }
    if (down.size === 2) pinch(event.pointerId, before, now);
    else actions.pan(now.x - before.x, now.y - before.y);
    down.set(event.pointerId, now);
  };

  const pinch = (id, before, now) => {
    const [other] = [...down].filter(([otherId]) => otherId !== id).map(([, point]) => point);
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(now.x - other.x, now.y - other.y);
    // Each finger moves the middle by half of its own way.
    actions.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    if (was > 0) actions.zoom(is / was, (now.x + other.x) / 2, (now.y + other.y) / 2);
  };

  const release = (event) => {
    if (!down.delete(event.pointerId) || down.size > 0) return;
    canvas.classList.remove('is-panning');
    if (!moved && event.type === 'pointerup') actions.tap(start.x, start.y, event.pointerType);
  };

  canvas.addEventListener('pointerdown', press, { signal });
  canvas.addEventListener('pointermove', move, { signal });
  canvas.addEventListener('pointerup', release, { signal });
  canvas.addEventListener('pointercancel', release, { signal });
  canvas.addEventListener('pointerleave', () => actions.leave(), { signal });
}

function listenToWheel(canvas, actions, signal) {
  const turn = (event) => {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : WHEEL_LINE_PX;
    // A trackpad's pinch comes as a wheel with ctrl, in small steps.
    const speed = event.ctrlKey ? 0.01 : 0.0018;
    const { x, y } = pointOf(canvas, event);
    actions.zoom(Math.exp(-event.deltaY * unit * speed), x, y);
  };
  canvas.addEventListener('wheel', turn, { signal, passive: false });
}

const COMMANDS = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'home',
  End: 'end',
  Enter: 'toggle',
  ' ': 'toggle',
  '+': 'in',
  '=': 'in',
  '-': 'out',
  _: 'out',
  0: 'fit',
};

function listenToKeys(canvas, actions, signal) {
  const key = (event) => {
    const command = COMMANDS[event.key];
    if (!command || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions.command(command);
  };
  canvas.addEventListener('keydown', key, { signal });
}
