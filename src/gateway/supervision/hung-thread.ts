/**
 * Ends a gateway thread whose event loop no longer turns.
 * `terminate()` alone would abort the process, because uWS holds open handles, and the thread would never read a
 * message. But V8 lets an inspector into a thread that runs JavaScript, even in an endless loop: it closes the
 * thread's App, and then the thread can be terminated. It cannot enter native code: see native-notes/uws.md, "A thread
 * that hangs".
 */
import type { Worker } from 'node:worker_threads';
import { ThreadInspector } from './thread-inspector.js';

/** Emitted on the thread's `process`; the handler closes its App. */
export const ABANDON_EVENT = 'millrace:abandon';

/**
 * Resolves once the thread's App is closed and the thread is being terminated. A thread in native code gets there only
 * when it returns from it, which may be never; until then it holds its sockets, and only the end of the process frees
 * them.
 * @throws {Error} when it cannot be done
 */
export async function endHungThread(thread: Worker): Promise<void> {
  const inspector = await ThreadInspector.attach(thread);
  try {
    const expression = `process.emit(${JSON.stringify(ABANDON_EVENT)})`;
    const answer = await inspector.send('Runtime.evaluate', { expression });
    if (!answer.includes('"value":true')) throw new Error(`unexpected answer: ${answer.slice(0, 300)}`);
    void thread.terminate();
  } finally {
    inspector.end();
  }
}
