/** What FIX clients of tests may have. */
import { ANONYMOUS, compileEntitlements } from '../../src/auth/credential.js';

const MARKET_DATA = ['quotes:*', 'trades:*', 'orderbook:*', 'depth:*'];

export const ENTITLED = compileEntitlements({ ...ANONYMOUS, sub: 'desk', entitlements: MARKET_DATA });
export const NOT_ENTITLED = compileEntitlements({ ...ANONYMOUS, sub: 'desk', entitlements: [] });
