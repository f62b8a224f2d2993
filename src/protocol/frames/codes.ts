/** Schemas of the codes that a client may receive, each with its meaning. */
import { z } from 'zod';
import { CloseCode } from '../close-code.js';
import {
  CLOSE_CODES,
  ERROR_CODES,
  type ErrorCode,
  GAP_REASONS,
  type GapReason,
  type RefusalMeaning,
  STALE_REASONS,
  type StaleReason,
} from '../codes.js';
import { describedCodes } from './members.js';

export const errorCode = describedCodes(ERROR_CODES, Object.keys(ERROR_CODES) as ErrorCode[]).describe(
  'Why a command was refused',
);
export const gapReason = describedCodes(GAP_REASONS, Object.keys(GAP_REASONS) as GapReason[]).describe(
  'Why events are missing',
);
export const staleReason = describedCodes(STALE_REASONS, Object.keys(STALE_REASONS) as StaleReason[]).describe(
  'Why a topic is held back',
);

export const closeCode = z
  .union(
    Object.values(CloseCode).map(code => {
      const { when, client } = CLOSE_CODES[code];
      return z.literal(code).describe(`${when}: ${client}`);
    }),
  )
  .describe('The gateway’s own close codes. 4000 to 4499: the client may reconnect; 4500 to 4999: it must not.');

/** The body of the HTTP answer to a refused upgrade. */
export function refusalBody({ codes }: RefusalMeaning) {
  const error = z.strictObject({ code: z.enum([...codes]), message: z.string() });
  if (!codes.includes('forbidden')) return z.strictObject({ error });
  const product = z.string().optional().describe('The code of the product that the credential lacks');
  return z.strictObject({ error: error.extend({ product }) });
}
