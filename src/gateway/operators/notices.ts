/** Sends an operator's notice to this thread's clients. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NoticeFrame, NoticeTarget } from '../../threads/admin-messages.js';
import type { Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import { bufferedBytesOf } from './connection-list.js';

/** Sessions examined and written to in one turn of the loop. */
const SENT_PER_TURN = 500;

interface NoticesOptions {
  readonly sessions: ReadonlySet<Session>;
  readonly outbox: Pick<Outbox, 'send'>;
  /** More buffered bytes than this, and the client is left out: a notice must not cost it its topics. */
  readonly bufferedBytesMax: number;
}

export class Notices {
  readonly #options: NoticesOptions;

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** @returns how many sessions were sent it, and how many do not keep up */
  async send(frame: NoticeFrame, to: NoticeTarget): Promise<{ sent: number; skipped: number }> {
    const { sessions, outbox, bufferedBytesMax } = this.#options;
    let [sent, skipped, examined] = [0, 0, 0];
    // Sessions that open in the meantime came after the notice.
    for (const session of [...sessions]) {
      if (++examined % SENT_PER_TURN === 0) await nextTurn();
      if (session.socket === undefined || session.keepalive.closingAtMs > 0 || !isMeant(session, to)) continue;
      const keepsUp = !session.isSuspended && bufferedBytesOf(session) <= bufferedBytesMax;
      if (keepsUp && outbox.send(session, frame)) sent++;
      else skipped++;
    }
    return { sent, skipped };
  }
}

function isMeant({ credential, subscriptions }: Session, to: NoticeTarget): boolean {
  if ('user' in to) return credential.sub === to.user;
  return 'all' in to || subscriptions.has(to.topic);
}
