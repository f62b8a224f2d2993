/** Why a session may not have what it requests: for people. */
import type { Entitlements } from '../../auth/credential.js';
import { productText } from '../../auth/product.js';
import { type MarketRequest, streamsOf } from './request.js';

/** Names the product that the first of these symbols belongs to. */
export function whichProduct(entitlements: Entitlements, request: MarketRequest, symbols: readonly string[]): string {
  for (const symbol of symbols) {
    for (const stream of streamsOf(request)) {
      const product = entitlements.lacksProduct(stream, symbol);
      if (product !== undefined) return `: ${productText(product)}`;
    }
  }
  return '';
}
