/**
 * Stops the work that a thread does for one session, in the middle of its JavaScript; the thread serves on.
 *
 * V8's `Runtime.terminateExecution` unwinds to the native code that called. In a handler of uWS or of a MessagePort that is safe;
 * in a timer or a microtask it is not. So the thread is asked first whether it is still at that work; if so it waits,
 * inside the inspector, for the order, which the inspector then obeys before the work continues. (native-notes/uws.md)
 */
import { inTime } from '../../deadline.js';
import type { ThreadInspector } from './thread-inspector.js';
import { Cell } from './watchdog.js';

/** Emitted on `process` of the thread: is it still at the work that takes too long? */
export const INTERRUPT_EVENT = 'millrace:interrupt';

/** States of an interruption. The thread answers `asked` by `ready` or `none`; the main thread `ready` by `claimed`, then `ordered`. */
const State = { none: 0, asked: 1, ready: 2, claimed: 3, ordered: 4 } as const;
/** The thread waits this long for a main thread that is busy itself; then it returns to its work, and is asked again. */
const ORDER_WAIT_MAX_MS = 1000;

/**
 * The main thread's end.
 * @returns `interrupted`; `over` where the thread is at other work by now; `unreachable` where it did not answer, being in native
 *   code
 * @throws {Error} where the inspector cannot reach it, or does not stop it
 */
export async function interrupt(
  row: Int32Array<SharedArrayBuffer>,
  inspector: ThreadInspector,
  timeoutMs: number,
): Promise<'interrupted' | 'over' | 'unreachable'> {
  Atomics.store(row, Cell.interruption, State.asked);
  const answer = Atomics.waitAsync(row, Cell.interruption, State.asked, timeoutMs);
  const expression = `process.emit(${JSON.stringify(INTERRUPT_EVENT)})`;
  await Promise.race([inspector.send('Runtime.evaluate', { expression }), answer.value]);
  if (Atomics.compareExchange(row, Cell.interruption, State.asked, State.none) === State.asked) return 'unreachable';
  if (Atomics.compareExchange(row, Cell.interruption, State.ready, State.claimed) !== State.ready) return 'over';
  const isDone = inspector.send('Runtime.terminateExecution');
  Atomics.store(row, Cell.interruption, State.ordered);
  await inTime(isDone, timeoutMs, 'the order to stop was not obeyed in time');
  return 'interrupted';
}

/** The thread's end, called by the inspector. @returns true where the order has come, which takes effect once this has returned */
export function awaitOrder(row: Int32Array): boolean {
  const { asked, ready, ordered, none } = State;
  if (Atomics.compareExchange(row, Cell.interruption, asked, ready) !== asked) return false;
  Atomics.notify(row, Cell.interruption);
  const endMs = performance.now() + ORDER_WAIT_MAX_MS;
  // Not `Atomics.wait`: an inspector in there has crashed. (native-notes/uws.md)
  while (Atomics.load(row, Cell.interruption) !== ordered) {
    const isLate = performance.now() > endMs;
    if (isLate && Atomics.compareExchange(row, Cell.interruption, ready, none) === ready) return false;
  }
  Atomics.store(row, Cell.interruption, none);
  return true;
}

/** The thread's other answer: it is at other work. */
export function refuseOrder(row: Int32Array): void {
  Atomics.compareExchange(row, Cell.interruption, State.asked, State.none);
  Atomics.notify(row, Cell.interruption);
}
