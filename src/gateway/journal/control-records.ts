/** Control frames that the journal records: ages and refusals. */
import { LISTED_MAX } from '../../protocol/record-limits.js';
import { type Stream, topicOf } from '../../protocol/topics.js';
import type { NewRecord } from '../../threads/journal-records.js';

/** The topics that an error refuses, which the frame itself does not always name. */
export interface RefusedTopics {
  readonly stream: Stream;
  readonly names: readonly string[];
}

/** What these frames hold, as their senders write them. */
interface ControlFrame {
  readonly type?: string;
  readonly code?: string;
  readonly topics?: readonly string[] | number;
  readonly symbols?: readonly string[];
  readonly product?: string;
  readonly age_ms?: number;
}

/** The record of a control frame that connection `c` was sent; undefined: it is not recorded. */
export function recordOf(message: object, c: string, refused?: RefusedTopics): NewRecord | undefined {
  const frame = message as ControlFrame;
  switch (frame.type) {
    case 'lagging':
      return { k: 'lagging', c, age_ms: frame.age_ms ?? 0, topics: Number(frame.topics) };
    case 'fresh':
      return { k: 'fresh', c };
    case 'error': {
      const { code = '', topics, symbols, product } = frame;
      const names = Array.isArray(topics) ? topics : undefined;
      const isOfTopic = (refused ?? names ?? symbols ?? product) !== undefined;
      return {
        k: 'refused',
        c,
        what: isOfTopic ? 'topic' : 'command',
        code,
        ...(refused === undefined ? (names?.length === 1 ? { topic: names[0] } : undefined) : membersOf(refused)),
        ...(product === undefined ? undefined : { product }),
      };
    }
    default:
      return undefined;
  }
}

function membersOf({ stream, names }: RefusedTopics) {
  const [name] = names;
  if (names.length === 1 && name !== undefined) return { topic: topicOf(stream, name) };
  const more = names.length - LISTED_MAX;
  return { stream, symbols: names.slice(0, LISTED_MAX), ...(more > 0 ? { more } : undefined) };
}
