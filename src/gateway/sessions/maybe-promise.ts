/** Replies that may be asynchronous. */

/** A value, or a promise of it when another thread or service must be asked. */
export type MaybePromise<T> = T | Promise<T>;

/** Continues with the value; synchronously if it is there. */
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Undefined: replied at once. A promise: the session's later commands wait for it. */
export type Handled = undefined | Promise<void>;
