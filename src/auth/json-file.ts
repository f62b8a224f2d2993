/** JSON files that the configuration names. */
import { readFile, stat } from 'node:fs/promises';
import { ConfigError } from '../config/config-error.js';

/** Longer files are refused unread, because parsing them would block the thread. Room for some 15 000 API keys. */
export const JSON_FILE_BYTES_MAX = 4 * 1024 ** 2;

/** In a message of JSON.parse. */
const POSITION = /at position (\d+)/;

/**
 * @param shown how messages refer to the file, such as `POLICY_FILE="policy.json"`.
 * @throws {ConfigError} beginning with `shown`, with its cause, if the file is unreadable, too long or not JSON.
 */
export async function readJsonFile(shown: string, path: string): Promise<unknown> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > JSON_FILE_BYTES_MAX) throw new Error(`it has ${size} bytes; at most ${JSON_FILE_BYTES_MAX} are allowed`);
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`${shown}: cannot be read (${cause instanceof Error ? cause.message : cause})`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${shown}: is not JSON${faultOf(text, cause)}`, { cause });
  }
}

/** Where the parser failed, as far as it says. Not its message: that quotes the file, which may hold secrets. */
function faultOf(text: string, cause: unknown): string {
  const message = cause instanceof Error ? cause.message : '';
  if (message.startsWith('Unexpected end')) return '; it ends too early';
  const position = POSITION.exec(message)?.[1];
  return position === undefined ? '' : ` (line ${text.slice(0, Number(position)).split('\n').length})`;
}

/** Where in a file an entry is: `['keys', 3, 'tier']` → `keys[3].tier: `; '' for the file as a whole. */
export function placeOf(path: readonly PropertyKey[]): string {
  const text = path.reduce<string>(
    (before, part) => before + (typeof part === 'number' ? `[${part}]` : `.${String(part)}`),
    '',
  );
  return text === '' ? '' : `${text.replace(/^\./, '')}: `;
}
