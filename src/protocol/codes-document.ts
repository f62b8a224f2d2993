/** The codes as Markdown tables: the generated parts of src/protocol/README.md (`npm run docs` writes them). */
import { CLOSE_CODES, ERROR_CODES, GAP_REASONS, REFUSALS, type RefusalMeaning, STALE_REASONS } from './codes.js';

/** Never sent: what a client sees without a close frame. */
const NO_CLOSE_FRAME = {
  code: '1006',
  when: 'no close frame: a message over 16 MiB, a client that reads nothing at all, one that was cut because too much was buffered for all clients (`WS_MAX_BUFFERED_TOTAL`), or a broken connection',
  client: 'reconnect',
};

/** Tables by the name in their markers. */
export const CODE_TABLES: Readonly<Record<string, string>> = {
  refusals: table(
    ['status', 'code', 'when'],
    Object.entries(REFUSALS as Readonly<Record<string, RefusalMeaning>>).map(
      ([status, { when, codes, retryAfter }]) => [
        status,
        codes.map(code => `\`${code}\``).join(', '),
        retryAfter ? `${when}; with \`Retry-After\`` : when,
      ],
    ),
  ),
  'error codes': table(['code', 'meaning'], meanings(ERROR_CODES)),
  'gap reasons': table(['reason of a `gap`', 'what happened'], meanings(GAP_REASONS)),
  'stale reasons': table(['reason of `stale`', 'what happened'], meanings(STALE_REASONS)),
  'close codes': table(
    ['code', 'by the gateway', 'then'],
    [
      ...Object.entries(CLOSE_CODES).map(([code, { when, client }]) => [code, when, client]),
      [NO_CLOSE_FRAME.code, NO_CLOSE_FRAME.when, NO_CLOSE_FRAME.client],
    ].sort(([a = ''], [b = '']) => a.localeCompare(b)),
  ),
};

function meanings(codes: Readonly<Record<string, string>>): string[][] {
  return Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning]);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
