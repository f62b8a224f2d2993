import { describe, expect, it } from 'vitest';
import { acceptableOffer } from '../../../../src/gateway/edge/deflate-offer.js';

/** What uWS is given for each. */
const ACCEPTED = 'permessage-deflate';
const DECLINED = '';

describe('P10 R28 an offer of compression', () => {
  it.each([
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; client_max_window_bits=10',
    'permessage-deflate; client_max_window_bits="15"',
    'permessage-deflate;server_no_context_takeover;client_no_context_takeover',
    'x-webkit-deflate-frame, permessage-deflate',
    'permessage-deflate; server_max_window_bits=10, permessage-deflate',
    'permessage-deflate; unknown, permessage-deflate; client_max_window_bits',
  ])('P10 is accepted where uWS can keep it: %s', offer => {
    expect(acceptableOffer(offer)).toBe(ACCEPTED);
  });

  it.each([
    '',
    'x-webkit-deflate-frame',
    'permessage-deflate2',
    'permessage-deflate; server_max_window_bits=10',
    // uWS would have to confirm even the size that it uses.
    'permessage-deflate; server_max_window_bits=15',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; client_max_window_bits=7',
    'permessage-deflate; client_max_window_bits=16',
    'permessage-deflate; client_max_window_bits=010',
    'permessage-deflate; client_max_window_bits=',
    'permessage-deflate; server_no_context_takeover=1',
    'permessage-deflate; client_max_window_bits; client_max_window_bits',
    'permessage-deflate; unknown',
    'permessage-deflate; constructor',
    'permessage-deflate;',
    'permessage-deflate; =',
  ])('P10 is declined otherwise (RFC 7692 section 7): %s', offer => {
    expect(acceptableOffer(offer)).toBe(DECLINED);
  });
});
