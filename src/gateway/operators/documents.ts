/** The current document of a state topic, asked of its encoder as for a client that subscribes. */

import { isStateStream, type Stream } from '../../protocol/topics.js';
import { REALTIME } from '../../protocol/view-options.js';
import { depthDetail, laneOf } from '../../threads/lanes.js';
import type { View } from '../model/session.js';
import { composeQuotes } from '../sending/snapshot-frames.js';
import type { Part, Views } from '../views/views.js';

const LEVELS = 100;
/** As a client of this tier would be answered: operators look into trouble. */
const ASKER = { tier: 'institutional' } as const;
/** Documents asked for at once; operators ask for one at a time. */
const ASKED_MAX = 8;
/** How long an encoder has to answer; the request is given up by then. */
const ANSWER_MS_MAX = 2_000;

export class TopicDocuments {
  readonly #views: Views;
  #asked = 0;

  constructor(views: Views) {
    this.#views = views;
  }

  /** JSON text of a client's snapshot frame; null: the topic has no data yet; undefined: there is no answer. */
  async of(stream: Stream, symbol: string): Promise<string | null | undefined> {
    if (!isStateStream(stream) || this.#asked >= ASKED_MAX) return undefined;
    this.#asked++;
    const lane = laneOf(REALTIME, stream === 'depth' ? (depthDetail(LEVELS) ?? 0) : 0, 'json', false);
    const view = this.#views.acquire(stream, symbol, lane, ASKER);
    try {
      const part = view.part ?? (await this.#answer(view));
      return part === undefined ? undefined : textOf(stream, symbol, part);
    } finally {
      this.#views.release(view);
      this.#asked--;
    }
  }

  #answer(view: View): Promise<Part | undefined> {
    return new Promise(resolve => {
      const late = setTimeout(() => resolve(undefined), ANSWER_MS_MAX);
      // At once: the part is gone when the next frame follows it.
      view.whenLive(isLive => {
        clearTimeout(late);
        resolve(isLive ? view.part : undefined);
      });
      this.#views.ask(view, ASKER);
    });
  }
}

function textOf(stream: Stream, symbol: string, part: Part): string | null {
  if (part.bytes.length === 0) return null;
  if (stream !== 'quotes') return Buffer.from(part.bytes).toString();
  const options = { format: 'json', isStamped: false, isComplete: true } as const;
  return composeQuotes({ epoch: part.epoch, quotes: [{ symbol, part }] }, options).toString();
}
