/**
 * Ends a gateway thread whose event loop does not turn any more.
 *
 * `terminate()` alone would abort the process, as uWS holds open handles, and a message would never be read. But V8 lets an
 * inspector into a thread that runs JavaScript, be it an endless loop: through it the thread's App is closed, and then
 * the thread may be terminated. It cannot be let into native code: see native-notes/uws.md, "A thread that hangs".
 */
import type { Worker } from 'node:worker_threads';

/** Emitted on `process` of the thread, which closes its App. */
export const ABANDON_EVENT = 'millrace:abandon';

/** What the inspector hands over. */
interface WorkerAttached {
  readonly params: { readonly sessionId: string; readonly workerInfo: { readonly workerId: string } };
}
interface WorkerAnswered {
  readonly params: { readonly sessionId: string; readonly message: string };
}

/**
 * Resolves with undefined once the thread's App is closed and the thread is being terminated, else with why that could
 * not be done: then the thread still holds its sockets, and only the end of the process takes them.
 */
export async function endHungThread(thread: Worker, timeoutMs: number): Promise<string | undefined> {
  const workerId = String(thread.threadId);
  // A Node built without it has no other way.
  const inspector = await import('node:inspector').catch((cause: unknown) => String(cause));
  if (typeof inspector === 'string') return inspector;
  const session = new inspector.Session();
  session.connect();
  try {
    const failure = await closeItsApp(session, workerId, timeoutMs);
    if (failure === undefined) void thread.terminate();
    return failure;
  } finally {
    session.disconnect();
  }
}

function closeItsApp(
  session: import('node:inspector').Session,
  workerId: string,
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(`it let nobody in for ${timeoutMs} ms`), timeoutMs);
    const end = (failure: string | undefined) => {
      clearTimeout(timer);
      resolve(failure);
    };
    const failed = (cause: Error | null) => {
      if (cause !== null) end(cause.message);
    };
    let sessionId: string | undefined;
    session.on('NodeWorker.attachedToWorker', ({ params }: WorkerAttached) => {
      if (params.workerInfo.workerId !== workerId) return;
      sessionId = params.sessionId;
      const expression = `process.emit(${JSON.stringify(ABANDON_EVENT)})`;
      const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } });
      session.post('NodeWorker.sendMessageToWorker', { sessionId, message }, failed);
    });
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }: WorkerAnswered) => {
      if (params.sessionId !== sessionId) return;
      end(params.message.includes('"value":true') ? undefined : `it answered ${params.message.slice(0, 300)}`);
    });
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, failed);
  });
}
