/** A reconstructed message as a line of JSON. */
import { FIX_HEADER_BYTES } from '../threads/fix-entries.js';
import type { Reconstructed } from './reconstruction.js';

/** `{"t":…,"mark":"sent"|"confirmed","frame":…}`, or `missing` instead of `frame`; `unknown` names what the frame cannot have. */
export function reconstructedLine({ delivery, frame, missing, lacksTime }: Reconstructed): string {
  const { t, isConfirmed } = delivery;
  const head = `{"t":${t},"mark":"${isConfirmed ? 'confirmed' : 'sent'}"`;
  if (frame === undefined) return `${head},"missing":${JSON.stringify(missing ?? '')}}`;
  const unknown = lacksTime ? ',"unknown":["timestamp"]' : '';
  return `${head}${unknown},"frame":${textOf(frame, delivery)}}`;
}

/** JSON as it was sent; MessagePack in base64; the fields of FIX entries, each with its SOH. */
function textOf(frame: Buffer, { kind, view }: Reconstructed['delivery']): string {
  if (view.format === 'msgpack') return JSON.stringify(frame.toString('base64'));
  // Announcements are JSON in all formats of text.
  if (view.format === 'json' || kind === 'gap' || kind === 'stale') return frame.toString('utf8');
  return JSON.stringify(frame.toString('utf8', FIX_HEADER_BYTES));
}
