import { describe, expect, it } from 'vitest';
import { fixFieldsOf, fixLine } from '../../../src/cli/fix-line.js';
import { runCli } from './run-cli.js';

const HEAD = '8=FIX.4.4|9=1|35=TYPE|34=7|49=MILLRACE|52=20260131-12:00:00.000|56=ME|';
const lineOf = (type: string, body: string) =>
  fixLine(fixFieldsOf(`${HEAD.replace('TYPE', type)}${body}10=000|`) ?? []);

describe('R73 lines of FIX messages', () => {
  it.each([
    ['0', '112=T1|', 'Heartbeat TestReqID=T1'],
    ['5', '58=come again|', 'Logout Text="come again"'],
    ['A', '98=0|108=30|553=alice|554=secret|', 'Logon EncryptMethod=0 HeartBtInt=30 Username=alice Password=(hidden)'],
    [
      'W',
      '262=r|55=A|268=2|269=0|270=99|271=1|290=1|269=1|270=101|271=2|290=1|',
      'Snapshot MDReqID=r Symbol=A bid 99 x 1, offer 101 x 2',
    ],
    [
      'X',
      '262=r|268=2|279=1|269=0|55=A|270=99|271=3|279=2|269=1|55=A|270=101|813=0|814=2|20003=9|',
      'Incremental MDReqID=r QueueDepth=0 QueueResolution=2 seq=9 change bid 99 x 3 of A, delete offer 101 of A',
    ],
    ['D', '11=o1|', '35=D 11=o1'],
  ])('R73 show %s', (type, body, shown) => {
    expect(lineOf(type, body)).toBe(`20260131-12:00:00.000 MILLRACE→ME #7 ${shown}`);
  });

  it.each(['\x01', '|', '^A'])('R73 are found in logs that separate fields by %o', separator => {
    const line = `12:00 : ${HEAD.replace('TYPE', '0')}10=000|`.replaceAll('|', separator);
    expect(fixLine(fixFieldsOf(line) ?? [])).toContain('Heartbeat');
  });

  it('R73 without a message are left out', () => {
    expect(fixFieldsOf('connected to 127.0.0.1')).toBeUndefined();
  });
});

describe('R73 millrace fix-log', () => {
  it('R73 says when a file cannot be read', async () => {
    const { code, stderr } = await runCli(['fix-log', '/there/is/none']);
    expect(code).toBe(1);
    expect(stderr).toContain('cannot read /there/is/none');
  });
});
