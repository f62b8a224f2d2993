/** Replies that may have to be waited for. */

/** A value, or a promise of it where somebody else has to be asked. */
export type MaybePromise<T> = T | Promise<T>;

/** Goes on with a value, at once where it is there. */
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Undefined: answered at once. A promise: later commands of the session wait for it. */
export type Handled = undefined | Promise<void>;
