/** A message that was routed by a third party: its rejection goes back the same way. */
import type { FixMessage } from './message.js';
import { Tag } from './tags.js';

/** What the answer has, and the field of the message that it comes from; in the order of their tags. */
const REVERSED = [
  [Tag.onBehalfOfCompId, Tag.deliverToCompId],
  [Tag.onBehalfOfSubId, Tag.deliverToSubId],
  [Tag.deliverToCompId, Tag.onBehalfOfCompId],
  [Tag.deliverToSubId, Tag.onBehalfOfSubId],
  [Tag.onBehalfOfLocationId, Tag.deliverToLocationId],
  [Tag.deliverToLocationId, Tag.onBehalfOfLocationId],
] as const;

/** Header fields of the answer. */
export function reversedRoute(message: FixMessage): (readonly [tag: number, value: string])[] {
  return REVERSED.flatMap(([tag, from]) => {
    const value = message.text(from);
    return value === undefined || value === '' ? [] : [[tag, value] as const];
  });
}
