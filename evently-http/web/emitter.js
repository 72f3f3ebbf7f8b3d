/** A list of listeners for one kind of news; used between the seat states, the selection and the views. */
export class Emitter {
  #listeners = new Set();

  /**
   * @param {(value: any) => void} listener
   * @param {AbortSignal} [signal] stops listening when aborted
   */
  on(listener, signal) {
    this.#listeners.add(listener);
    signal?.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  emit(value) {
    for (const listener of this.#listeners) listener(value);
  }
}
