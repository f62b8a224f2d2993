/**
 * Interrupts a thread's work for one session, in the middle of its JavaScript; the thread keeps serving.
 *
 * V8's `Runtime.terminateExecution` unwinds to the native caller. In a handler of uWS or of a MessagePort that is
 * safe; in a timer or a microtask it is not. So the main thread first asks whether the thread is still at that work.
 * If it is, the thread waits inside the inspector for the order, which the inspector executes before the work
 * continues. (native-notes/uws.md)
 */
import { inTime } from '../../observe/deadline.js';
import type { ThreadInspector } from './thread-inspector.js';
import { Cell } from './watchdog.js';

/** Emitted on the thread's `process`: asks whether it is still at the work that takes too long. */
export const INTERRUPT_EVENT = 'millrace:interrupt';

/**
 * States of an interruption. The thread answers `asked` with `ready` or `none`; the main thread answers `ready` with
 * `claimed`, then `ordered`.
 */
const State = { none: 0, asked: 1, ready: 2, claimed: 3, ordered: 4 } as const;
/** How long the thread waits for a busy main thread; then it resumes its work, and is asked again later. */
const ORDER_WAIT_MAX_MS = 1000;

/**
 * The main thread's side.
 * @returns `interrupted`; `over` when the thread has moved on to other work; `unreachable` when it did not answer
 * because it is in native code
 * @throws {Error} when the inspector cannot reach or stop the thread
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
  await inTime(isDone, timeoutMs, 'the thread did not stop in time');
  return 'interrupted';
}

/**
 * The thread's side, called by the inspector.
 * @returns true when the order has come; it takes effect once this returns
 */
export function awaitOrder(row: Int32Array): boolean {
  const { asked, ready, ordered, none } = State;
  if (Atomics.compareExchange(row, Cell.interruption, asked, ready) !== asked) return false;
  Atomics.notify(row, Cell.interruption);
  const endMs = performance.now() + ORDER_WAIT_MAX_MS;
  // Do not use `Atomics.wait`: an inspector waiting there has crashed. (native-notes/uws.md)
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
