/** A reconstructed message as a line of JSON. */
import type { Reconstructed } from './reconstruction.js';

/** `{"t":…,"mark":"sent"|"confirmed","frame":…}`, or `missing` instead of `frame`; `unknown` names what the frame cannot have. */
export function reconstructedLine({ delivery, frame, missing, lacksTime }: Reconstructed): string {
  const { t, isConfirmed } = delivery;
  const head = `{"t":${t},"mark":"${isConfirmed ? 'confirmed' : 'sent'}"`;
  if (frame === undefined) return `${head},"missing":${JSON.stringify(missing ?? '')}}`;
  const unknown = lacksTime ? ',"unknown":["timestamp"]' : '';
  return `${head}${unknown},"frame":${textOf(frame, delivery)}}`;
}

/** JSON as it was sent; MessagePack in base64; FIX as text, each field with its SOH. */
function textOf(frame: Buffer, { view }: Reconstructed['delivery']): string {
  if (view.format === 'msgpack') return JSON.stringify(frame.toString('base64'));
  return view.format === 'json' ? frame.toString('utf8') : JSON.stringify(frame.toString('utf8'));
}
