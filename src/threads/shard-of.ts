/** Which encoder a source lives in. */
import { fnv1aOfText } from '../protocol/fnv.js';

/** By the name, `<kind>:<symbol>`: the same source always meets the same encoder. */
export function shardOf(name: string, shards: number): number {
  return fnv1aOfText(name) % shards;
}
