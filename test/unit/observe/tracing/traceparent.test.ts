import { describe, expect, it } from 'vitest';
import { parseTraceParent } from '../../../../src/observe/tracing/traceparent.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const VALID = `00-${TRACE}-${SPAN}-01`;

describe('R63 traceparent', () => {
  it('R63 of version 00 names trace, span and whether it is sampled', () => {
    expect(parseTraceParent(VALID)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled: true });
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-00`)?.isSampled).toBe(false);
  });

  it.each([
    ['03', true],
    ['fe', false],
    ['ff', true],
  ])('R63 with flags %s is sampled: %s, as bit 0 says', (flags, isSampled) => {
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-${flags}`)?.isSampled).toBe(isSampled);
  });

  it('R63 of a later version is read as far as version 00 reaches', () => {
    expect(parseTraceParent(`cc-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled: true });
    expect(parseTraceParent(`cc-${TRACE}-${SPAN}-01-what-comes-later`)?.spanId).toBe(SPAN);
    expect(parseTraceParent(`cc-${TRACE}-${SPAN}-01.what-comes-later`)).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['a part', VALID.slice(0, 54)],
    ['version ff', VALID.replace('00-', 'ff-')],
    ['version 00 with more', `${VALID}-00`],
    ['no version', VALID.replace('00-', 'zz-')],
    ['a trace id of zeros', VALID.replace(TRACE, '0'.repeat(32))],
    ['a span id of zeros', VALID.replace(SPAN, '0'.repeat(16))],
    ['upper case', VALID.toUpperCase()],
    ['other digits', VALID.replace('0af7', '0ag7')],
    ['other separators', VALID.replaceAll('-', '_')],
    ['flags that are none', VALID.replace(/01$/, '0x')],
    ['white space', ` ${VALID}`.slice(0, 55)],
  ])('R63 with %s is invalid', (_what, text) => {
    expect(parseTraceParent(text)).toBeUndefined();
  });
});
