import { MillraceError } from './errors.js';

export type Listener<Value> = (value: Value) => unknown;

/**
 * Typed events: `Events` maps each name to its listeners' argument. If a listener throws, or its promise rejects,
 * neither the emitter nor the other listeners are affected: the error goes to `onFault`.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();
  readonly #onFault: (error: MillraceError, event: string) => void;

  constructor(onFault: (error: MillraceError, event: string) => void) {
    this.#onFault = onFault;
  }

  /** Calls the listener for each future event. Adding the same listener twice has no effect. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) this.#listeners.set(name, new Set([listener]));
    else listeners.add(listener);
    return this;
  }

  off<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    this.#listeners.get(name)?.delete(listener);
    return this;
  }

  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        const result = listener(value as never);
        if (result instanceof Promise) result.catch(cause => this.#fault(name, cause));
      } catch (cause) {
        this.#fault(name, cause);
      }
    }
  }

  protected listenerCount(name: keyof Events): number {
    return this.#listeners.get(name)?.size ?? 0;
  }

  #fault(name: keyof Events, cause: unknown): void {
    const event = String(name);
    this.#onFault(new MillraceError('listener_failed', `a listener of '${event}' threw`, { cause }), event);
  }
}
