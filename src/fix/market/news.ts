/** Texts of the News (B) that tell of losses. */

export const STALE = 'STALE';
export const TRADES_LOST = 'TRADES LOST';

/** From where to where trades are missing; 0 and 0: it is unknown how many. */
export interface MissingTrades {
  readonly from: number;
  readonly to: number;
}

export function staleText(topic: string, reason: string): string {
  return `${topic} is held back (${reason}); a snapshot follows once it is whole`;
}

export function tradesLostText(symbol: string, { from, to }: MissingTrades, reason: string): string {
  const why = reason === 'slow_consumer' ? 'slow consumer' : reason;
  return to > 0 ? `trades ${from} to ${to} of ${symbol} are lost (${why})` : `trades of ${symbol} may be lost (${why})`;
}
