/** V8's inspector in another thread: it can interrupt JavaScript between two instructions, but not native code. */
import type { Session } from 'node:inspector';
import type { Worker } from 'node:worker_threads';

interface WorkerAttached {
  readonly params: { readonly sessionId: string; readonly workerInfo: { readonly title: string } };
}
interface WorkerAnswered {
  readonly params: { readonly sessionId: string; readonly message: string };
}

export class ThreadInspector {
  readonly #session: Session;
  readonly #sessionId: string;
  readonly #answers = new Map<number, (answer: string) => void>();
  #lastId = 0;

  /** @throws {Error} in a Node without an inspector, and when the thread has ended */
  static async attach(thread: Worker): Promise<ThreadInspector> {
    const { Session } = await import('node:inspector');
    const session = new Session();
    session.connect();
    const sessionId = await new Promise<string>((resolve, reject) => {
      session.on('NodeWorker.attachedToWorker', ({ params }: WorkerAttached) => {
        // The title names the thread, `[worker 2] gateway-0`. `workerId` does not: it numbers threads in the order in
        // which the inspector met them.
        if (params.workerInfo.title.startsWith(`[worker ${thread.threadId}]`)) resolve(params.sessionId);
      });
      session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, cause =>
        // By now, the inspector is attached to every thread.
        reject(cause ?? new Error('the thread has ended')),
      );
    }).catch((cause: unknown) => {
      session.disconnect();
      throw cause;
    });
    return new ThreadInspector(session, sessionId);
  }

  private constructor(session: Session, sessionId: string) {
    this.#session = session;
    this.#sessionId = sessionId;
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }: WorkerAnswered) => {
      if (params.sessionId !== sessionId) return;
      const { id } = JSON.parse(params.message) as { id?: number };
      if (id === undefined) return;
      this.#answers.get(id)?.(params.message);
      this.#answers.delete(id);
    });
  }

  /** Resolves with the answer once the thread is back in JavaScript; never, if it does not come back. */
  send(method: string, params: object = {}): Promise<string> {
    const id = ++this.#lastId;
    const message = JSON.stringify({ id, method, params });
    return new Promise((resolve, reject) => {
      this.#answers.set(id, resolve);
      this.#session.post('NodeWorker.sendMessageToWorker', { sessionId: this.#sessionId, message }, cause => {
        if (cause !== null) reject(cause);
      });
    });
  }

  end(): void {
    this.#session.disconnect();
  }
}
