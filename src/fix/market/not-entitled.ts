/** Why a session may not have what it requests: for people, and for the journal. */
import { type Entitlements, mayHave } from '../../auth/credential.js';
import { type Product, productText } from '../../auth/product.js';
import type { RefusedTopics } from './client-journal.js';
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

/** What a request may not have: for each of its streams, one for each product, and one for topics of no product. */
export function refusedTopics(
  entitlements: Entitlements,
  request: MarketRequest,
  symbols: readonly string[],
): RefusedTopics[] {
  return streamsOf(request).flatMap(stream => {
    const byProduct = new Map<Product | undefined, string[]>();
    for (const symbol of symbols) {
      if (mayHave(entitlements, stream, symbol)) continue;
      const product = entitlements.lacksProduct(stream, symbol);
      const others = byProduct.get(product);
      if (others === undefined) byProduct.set(product, [symbol]);
      else others.push(symbol);
    }
    return [...byProduct].map(([product, of]) => ({ stream, symbols: of, product: product?.code }));
  });
}
