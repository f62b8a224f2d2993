/**
 * Ends a gateway thread whose event loop does not turn any more.
 *
 * `terminate()` alone would abort the process, as uWS holds open handles, and a message would never be read. But V8 lets an
 * inspector into a thread that runs JavaScript, be it an endless loop: through it the thread's App is closed, and then
 * the thread may be terminated. It cannot be let into native code: see native-notes/uws.md, "A thread that hangs".
 */
import type { Worker } from 'node:worker_threads';
import { ThreadInspector } from './thread-inspector.js';

/** Emitted on `process` of the thread, which closes its App. */
export const ABANDON_EVENT = 'millrace:abandon';

/**
 * Resolves once the thread's App is closed and the thread is being terminated. In native code that is when the thread comes back
 * from there, which may be never; until then it holds its sockets, and only the end of the process takes them.
 * @throws {Error} where it cannot be done
 */
export async function endHungThread(thread: Worker): Promise<void> {
  const inspector = await ThreadInspector.attach(thread);
  try {
    const expression = `process.emit(${JSON.stringify(ABANDON_EVENT)})`;
    const answer = await inspector.send('Runtime.evaluate', { expression });
    if (!answer.includes('"value":true')) throw new Error(`it answered ${answer.slice(0, 300)}`);
    void thread.terminate();
  } finally {
    inspector.end();
  }
}
