/** The session tests of the FIX 4.4 specification (volume 2) from the acceptor's side, by their numbers. */
import { describe, expect, it } from 'vitest';
import type { Rejection, RejectReason } from '../../../../src/fix/wire/validation.js';
import { TestAcceptor } from '../../../support/fix-acceptor.js';
import { framed, readable, stampOf } from '../../../support/fix-wire.js';

const SHOWN = [7, 16, 36, 43, 45, 58, 98, 108, 112, 123, 141, 371, 372, 373, 789];

/** Logged on, with the Logon's answer taken. */
function loggedOn(application?: () => Rejection | undefined): TestAcceptor {
  const acceptor = new TestAcceptor({}, application);
  acceptor.logOn();
  expect(acceptor.takeShort([98, 108])).toEqual(['A 98=0 108=30']);
  return acceptor;
}

interface Scenario {
  readonly name: string;
  /** After the logon. */
  readonly run: (acceptor: TestAcceptor) => void;
  readonly sent?: readonly string[];
  readonly closed?: RegExp;
  /** MsgSeqNum expected afterwards. */
  readonly nextIn?: number;
}

describe('R73 logon (1S)', () => {
  it('R73 1S a: answers a valid Logon, and echoes the heartbeat interval', () => {
    const acceptor = new TestAcceptor();
    acceptor.logOn(1, [
      [553, 'alice'],
      [554, 'secret'],
    ]);
    const [answer = []] = acceptor.take();
    expect(answer.map(([tag]) => tag)).toEqual([8, 9, 35, 34, 49, 52, 56, 98, 108, 10]);
    expect(acceptor.session.numbers).toEqual({ nextIn: 2, nextOut: 2 });
    expect(acceptor.logons[0]).toMatchObject({ senderCompId: 'CLIENT', username: 'alice', password: 'secret' });
  });

  it('R73 1S a: answers a Logon whose number is too high, then asks for what is missing', () => {
    const acceptor = new TestAcceptor();
    acceptor.logOn(5);
    expect(acceptor.takeShort(SHOWN)).toEqual(['A 98=0 108=30', '2 7=1 16=0']);
    acceptor.receive(
      '4',
      1,
      [
        [123, 'Y'],
        [36, 6],
      ],
      { 43: 'Y', 122: stampOf(acceptor.nowMs) },
    );
    acceptor.receive('1', 6, [[112, 'there']]);
    expect(acceptor.takeShort(SHOWN)).toEqual(['0 112=there']);
    expect(acceptor.session.numbers.nextIn).toBe(7);
  });

  it('R73 1S a: refuses a Logon whose number is too low', () => {
    const acceptor = new TestAcceptor();
    acceptor.numbers = { nextIn: 8, nextOut: 4 };
    acceptor.logOn(3);
    expect(acceptor.takeShort([34, 58])).toEqual(['5 34=4 58=MsgSeqNum too low, expecting 8 but received 3']);
    expect(acceptor.closed).toContain('too low');
  });

  it('R73 1S b: a duplicate identity is disconnected without a message', () => {
    const acceptor = new TestAcceptor();
    acceptor.verdict = { drop: 'another session has this identity' };
    acceptor.logOn();
    expect(acceptor.take()).toEqual([]);
    expect(acceptor.closed).toContain('identity');
  });

  it.each([
    ['TargetCompID', { 56: 'OTHER' }],
    ['SenderCompID', { 49: '../etc' }],
    ['BeginString', { 8: 'FIX.4.2' }],
  ])('R73 1S c: a Logon with a wrong %s is disconnected without a message', (_field, header) => {
    const acceptor = new TestAcceptor();
    acceptor.receive(
      'A',
      1,
      [
        [98, 0],
        [108, 30],
      ],
      header as Record<number, string>,
    );
    expect(acceptor.take()).toEqual([]);
    expect(acceptor.closed).toBeDefined();
    expect(acceptor.logons).toEqual([]);
  });

  it('R73 1S c: a refused credential is told so, with a number that reveals nothing', () => {
    const acceptor = new TestAcceptor();
    acceptor.numbers = { nextIn: 8, nextOut: 4 };
    acceptor.verdict = { refuse: 'the API key was refused: unknown' };
    acceptor.logOn(8);
    expect(acceptor.takeShort([34, 58])).toEqual(['5 34=1 58=the API key was refused: unknown']);
    expect(acceptor.closed).toBeDefined();
  });

  it.each<[string, readonly (readonly [number, string])[], Record<number, string>, string]>([
    [
      'heartbeat 0',
      [
        [98, '0'],
        [108, '0'],
      ],
      {},
      'HeartBtInt (108) must be 1 to 60',
    ],
    [
      'a negative heartbeat',
      [
        [98, '0'],
        [108, '-1'],
      ],
      {},
      'HeartBtInt (108) must be 1 to 60',
    ],
    [
      'a heartbeat over the limit',
      [
        [98, '0'],
        [108, '61'],
      ],
      {},
      'HeartBtInt (108) must be 1 to 60',
    ],
    ['no heartbeat', [[98, '0']], {}, 'Required tag missing: 108'],
    [
      'an unknown field',
      [
        [98, '0'],
        [108, '30'],
        [55, 'A'],
      ],
      {},
      'Tag not defined for this message type: 55',
    ],
    [
      'a password with a field separator in it, and does not repeat its rest',
      [
        [98, '0'],
        [108, '30'],
        [554, 'half\x01secret=1'],
      ],
      {},
      'Invalid tag number',
    ],
    [
      'a sending time that is off',
      [
        [98, '0'],
        [108, '30'],
      ],
      { 52: '20200101-00:00:00' },
      'SendingTime accuracy problem',
    ],
    [
      '17 encryption',
      [
        [98, '1'],
        [108, '30'],
      ],
      {},
      'EncryptMethod (98) must be 0',
    ],
  ])('R73 1S d: refuses %s with a Logout', (_what, fields, header, text) => {
    const acceptor = new TestAcceptor();
    acceptor.receive('A', 1, fields, header);
    expect(acceptor.takeShort([58])).toEqual([`5 58=${text}`]);
    expect(acceptor.closed).toBeDefined();
    expect(acceptor.logons).toEqual([]);
  });

  it('R73 a reset with another number than 1 is refused, and leaves the numbers as they are', () => {
    const acceptor = new TestAcceptor();
    acceptor.numbers = { nextIn: 5, nextOut: 8 };
    acceptor.logOn(5, [[141, 'Y']]);
    expect(acceptor.takeShort([34, 58])).toEqual(['5 34=8 58=ResetSeqNumFlag needs MsgSeqNum 1']);
    expect(acceptor.session.numbers).toEqual({ nextIn: 5, nextOut: 9 });
  });

  it.each([
    ['another message', (acceptor: TestAcceptor) => acceptor.message('0', 1)],
    ['garbage', () => Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    [
      'a garbled Logon',
      (acceptor: TestAcceptor) =>
        Buffer.from(
          readable(acceptor.message('A', 1))
            .replace(/10=\d+/, '10=999')
            .replaceAll('|', '\x01'),
        ),
    ],
  ])('R73 1S e: %s before the Logon ends the connection without a message', (_what, bytes) => {
    const acceptor = new TestAcceptor();
    acceptor.session.receive(bytes(acceptor));
    expect(acceptor.take()).toEqual([]);
    expect(acceptor.closed).toBeDefined();
  });

  it('R73 a connection that sends nothing is ended after ten seconds', () => {
    const acceptor = new TestAcceptor();
    acceptor.pass(9_900);
    expect(acceptor.closed).toBeUndefined();
    acceptor.pass(100);
    expect(acceptor.closed).toBe('no Logon in time');
  });

  it('R73 what arrives while the credential is checked is answered after the Logon', () => {
    const acceptor = new TestAcceptor();
    acceptor.verdict = undefined;
    acceptor.logOn();
    acceptor.receive('1', 2, [[112, 'early']]);
    expect(acceptor.take()).toEqual([]);
    acceptor.session.accept({ nextIn: 1, nextOut: 1 });
    expect(acceptor.takeShort([112])).toEqual(['A', '0 112=early']);
  });

  it('R73 ResetSeqNumFlag starts both numbers over, and is echoed', () => {
    const acceptor = new TestAcceptor();
    acceptor.numbers = { nextIn: 8, nextOut: 4 };
    acceptor.logOn(1, [[141, 'Y']]);
    expect(acceptor.takeShort([34, 141])).toEqual(['A 34=1 141=Y']);
    expect(acceptor.session.numbers).toEqual({ nextIn: 2, nextOut: 2 });
  });

  it('R73 ResetSeqNumFlag with another number than 1 is refused', () => {
    const acceptor = new TestAcceptor();
    acceptor.logOn(3, [[141, 'Y']]);
    expect(acceptor.takeShort([58])).toEqual(['5 58=ResetSeqNumFlag needs MsgSeqNum 1']);
  });

  it('R73 NextExpectedMsgSeqNum: fills what the client lacks, and leaves the client to do the same', () => {
    const acceptor = new TestAcceptor();
    acceptor.numbers = { nextIn: 4, nextOut: 9 };
    acceptor.logOn(6, [[789, 7]]);
    expect(acceptor.takeShort([34, 36, 43, 123, 789])).toEqual(['A 34=9 789=4', '4 34=7 43=Y 36=10 123=Y']);
    acceptor.receive(
      '4',
      4,
      [
        [123, 'Y'],
        [36, 7],
      ],
      { 43: 'Y', 122: stampOf(acceptor.nowMs) },
    );
    acceptor.receive('1', 7, [[112, 'x']]);
    expect(acceptor.takeShort([34, 112])).toEqual(['0 34=10 112=x']);
  });

  it('R73 NextExpectedMsgSeqNum: is one more than the Logon where nothing is missing', () => {
    const acceptor = new TestAcceptor();
    acceptor.logOn(1, [[789, 1]]);
    expect(acceptor.takeShort([789])).toEqual(['A 789=2']);
  });

  it('R73 NextExpectedMsgSeqNum beyond what was sent is refused', () => {
    const acceptor = new TestAcceptor();
    acceptor.logOn(1, [[789, 5]]);
    expect(acceptor.takeShort([58])).toEqual(['5 58=NextExpectedMsgSeqNum too high, expecting 1 but received 5']);
  });
});

const REJECT_BODY = (tag: string, reason: RejectReason) => `371=${tag} 372=1 373=${reason}`;

const SCENARIOS: readonly Scenario[] = [
  { name: '2a a right number', run: a => a.receive('1', 2, [[112, 'x']]), sent: ['0 112=x'], nextIn: 3 },
  {
    name: '2b a number that is too high: asked for once, and what waits comes in order',
    run: a => {
      a.receive('1', 4, [[112, 'four']]);
      a.receive('1', 5, [[112, 'five']]);
      const again = { 43: 'Y', 122: stampOf(a.nowMs) };
      a.receive('1', 2, [[112, 'two']], again);
      a.receive(
        '4',
        3,
        [
          [123, 'Y'],
          [36, 4],
        ],
        again,
      );
    },
    sent: ['2 7=2 16=0', '0 112=two', '0 112=four', '0 112=five'],
    nextIn: 6,
  },
  {
    name: '2c a number that is too low',
    run: a => a.receive('0', 1),
    sent: ['5 58=MsgSeqNum too low, expecting 2 but received 1'],
    closed: /too low/,
    nextIn: 2,
  },
  {
    name: '2d, 3c a garbled message is ignored',
    run: a => a.session.receive(Buffer.from('8=FIX.4.4\x019=5\x0135=0\x0134=2\x0110=000\x01')),
    nextIn: 2,
  },
  {
    name: '2e PossDup of a message that came',
    run: a => a.receive('1', 1, [[112, 'x']], { 43: 'Y', 122: stampOf(a.nowMs) }),
    sent: [],
    nextIn: 2,
  },
  {
    name: '2e PossDup of a message that did not come',
    run: a => a.receive('1', 2, [[112, 'x']], { 43: 'Y', 122: stampOf(a.nowMs) }),
    sent: ['0 112=x'],
    nextIn: 3,
  },
  {
    name: '2f PossDup with an OrigSendingTime after SendingTime',
    run: a => a.receive('1', 2, [[112, 'x']], { 43: 'Y', 122: stampOf(a.nowMs + 1000) }),
    sent: ['3 45=2 371=122 372=1 373=10 58=SendingTime accuracy problem', '5 58=SendingTime accuracy problem'],
    closed: /SendingTime/,
    nextIn: 3,
  },
  {
    name: '2g PossDup without OrigSendingTime',
    run: a => a.receive('1', 2, [[112, 'x']], { 43: 'Y' }),
    sent: ['3 45=2 371=122 372=1 373=1 58=Required tag missing'],
    nextIn: 3,
  },
  {
    name: '2g PossDup without OrigSendingTime of a message that came',
    run: a => a.receive('1', 1, [[112, 'x']], { 43: 'Y' }),
    sent: ['3 45=1 371=122 372=1 373=1 58=Required tag missing'],
    nextIn: 2,
  },
  {
    name: '2h, 2i another BeginString',
    run: a => a.receive('0', 2, [], { 8: 'FIX.4.2' }),
    sent: ['5 58=Incorrect BeginString'],
    closed: /BeginString/,
    nextIn: 2,
  },
  {
    name: '2j, 2k another SenderCompID',
    run: a => a.receive('0', 2, [], { 49: 'OTHER' }),
    sent: ['3 45=2 371=49 372=0 373=9 58=CompID problem', '5 58=CompID problem'],
    closed: /CompID/,
    nextIn: 3,
  },
  {
    name: '2k another TargetCompID',
    run: a => a.receive('0', 2, [], { 56: 'OTHER' }),
    sent: ['3 45=2 371=56 372=0 373=9 58=CompID problem', '5 58=CompID problem'],
    closed: /CompID/,
    nextIn: 3,
  },
  {
    name: '2l, 2m a wrong BodyLength is ignored',
    run: a => {
      const bytes = readable(a.message('1', 2, [[112, 'bad']])).replace(/9=\d+/, '9=40');
      a.session.receive(Buffer.from(bytes.replaceAll('|', '\x01')));
      a.receive('1', 2, [[112, 'good']]);
    },
    sent: ['0 112=good'],
    nextIn: 3,
  },
  {
    name: '2n, 2o a SendingTime that is off',
    run: a => a.receive('0', 2, [], { 52: stampOf(a.nowMs - 121_000) }),
    sent: ['3 45=2 371=52 372=0 373=10 58=SendingTime accuracy problem', '5 58=SendingTime accuracy problem'],
    closed: /SendingTime/,
    nextIn: 3,
  },
  {
    name: '2n a SendingTime within the limit',
    run: a => a.receive('1', 2, [[112, 'x']], { 52: stampOf(a.nowMs - 119_000) }),
    sent: ['0 112=x'],
    nextIn: 3,
  },
  {
    name: '2p, 2q a MsgType that FIX 4.4 does not have',
    run: a => a.receive('ZZ', 2),
    sent: ['3 45=2 371=35 372=ZZ 373=11 58=Invalid MsgType'],
    nextIn: 3,
  },
  {
    name: '2s, 2t other first three fields are ignored',
    run: a => {
      const bytes = readable(a.message('1', 2, [[112, 'x']])).replace(/(9=\d+\|)(35=1\|)/, '$2$1');
      a.session.receive(Buffer.from(bytes.replaceAll('|', '\x01')));
    },
    sent: [],
    nextIn: 2,
  },
  {
    name: '3b a wrong checksum is ignored',
    run: a => {
      const bytes = readable(a.message('1', 2, [[112, 'x']])).replace(/10=\d{3}/, '10=256');
      a.session.receive(Buffer.from(bytes.replaceAll('|', '\x01')));
      a.receive('1', 2, [[112, 'y']]);
    },
    sent: ['0 112=y'],
    nextIn: 3,
  },
  { name: '4a a Heartbeat where nothing was sent for the interval', run: a => a.pass(30_000), sent: ['0'], nextIn: 2 },
  { name: '4b TestRequest is answered', run: a => a.receive('1', 2, [[112, 'id']]), sent: ['0 112=id'], nextIn: 3 },
  { name: '5 a Heartbeat is taken', run: a => a.receive('0', 2), sent: [], nextIn: 3 },
  {
    name: '6 a TestRequest after 1.2 intervals of silence, a Logout after 2.4',
    run: a => {
      a.pass(36_000);
      expect(a.takeShort([112])).toEqual(['0', '1 112=T1']);
      a.pass(35_900);
      expect(a.closed).toBeUndefined();
      a.take();
      a.pass(100);
    },
    sent: ['5 58=no answer to TestRequest'],
    closed: /TestRequest/,
  },
  {
    name: '6 an answered TestRequest',
    run: a => {
      a.pass(36_000);
      a.receive('0', 2, [[112, 'T1']]);
      a.take();
      a.pass(35_900);
      a.take();
    },
    sent: [],
    nextIn: 3,
  },
  { name: '7 a Reject is taken', run: a => a.receive('3', 2, [[45, 1]]), sent: [], nextIn: 3 },
  {
    name: '8 a ResendRequest over messages of the session: one GapFill',
    run: a => {
      a.receive('1', 2, [[112, 'x']]);
      a.take();
      a.receive('2', 3, [
        [7, 1],
        [16, 0],
      ]);
    },
    sent: ['4 43=Y 123=Y 36=3'],
    nextIn: 4,
  },
  {
    name: '8 a ResendRequest over a Reject: it comes again, and the rest is filled',
    run: a => {
      a.receive('ZZ', 2);
      a.receive('1', 3, [[112, 'x']]);
      a.take();
      a.receive('2', 4, [
        [7, 1],
        [16, 0],
      ]);
    },
    sent: ['4 43=Y 123=Y 36=2', '3 43=Y 45=2 371=35 372=ZZ 373=11 58=Invalid MsgType', '4 43=Y 123=Y 36=4'],
    nextIn: 5,
  },
  {
    name: '8 a ResendRequest of which the end is named',
    run: a => {
      a.receive('1', 2, [[112, 'x']]);
      a.receive('1', 3, [[112, 'x']]);
      a.take();
      a.receive('2', 4, [
        [7, 1],
        [16, 2],
      ]);
    },
    sent: ['4 43=Y 123=Y 36=3'],
    nextIn: 5,
  },
  {
    name: '8 a ResendRequest for what was not sent',
    run: a =>
      a.receive('2', 2, [
        [7, 9],
        [16, 0],
      ]),
    sent: [],
    nextIn: 3,
  },
  {
    name: '8 a ResendRequest that ends before it begins',
    run: a =>
      a.receive('2', 2, [
        [7, 3],
        [16, 2],
      ]),
    sent: ['3 45=2 371=16 372=2 373=5 58=Value is incorrect (out of range) for this tag'],
    nextIn: 3,
  },
  {
    name: '8 a ResendRequest whose number is too low is answered',
    run: a => {
      a.receive('1', 2, [[112, 'x']]);
      a.take();
      a.receive('2', 1, [
        [7, 1],
        [16, 0],
      ]);
    },
    sent: ['4 43=Y 123=Y 36=3'],
    nextIn: 3,
  },
  {
    name: '10 a GapFill at the number expected',
    run: a => {
      a.receive('4', 2, [
        [123, 'Y'],
        [36, 9],
      ]);
      a.receive('1', 9, [[112, 'x']]);
    },
    sent: ['0 112=x'],
    nextIn: 10,
  },
  {
    name: '10 a GapFill above a gap waits for it',
    run: a => {
      a.receive('4', 4, [
        [123, 'Y'],
        [36, 9],
      ]);
      a.receive(
        '4',
        2,
        [
          [123, 'Y'],
          [36, 4],
        ],
        { 43: 'Y', 122: stampOf(a.nowMs) },
      );
    },
    sent: ['2 7=2 16=0'],
    nextIn: 9,
  },
  {
    name: '10 a GapFill of what came, as PossDup',
    run: a =>
      a.receive(
        '4',
        1,
        [
          [123, 'Y'],
          [36, 9],
        ],
        { 43: 'Y', 122: stampOf(a.nowMs) },
      ),
    sent: [],
    nextIn: 2,
  },
  {
    name: '10 a GapFill whose number is too low',
    run: a =>
      a.receive('4', 1, [
        [123, 'Y'],
        [36, 9],
      ]),
    sent: ['5 58=MsgSeqNum too low, expecting 2 but received 1'],
    closed: /too low/,
  },
  {
    name: '10 a GapFill backwards',
    run: a =>
      a.receive('4', 2, [
        [123, 'Y'],
        [36, 2],
      ]),
    sent: ['3 45=2 371=36 372=4 373=5 58=Value is incorrect (out of range) for this tag'],
    nextIn: 2,
  },
  {
    name: '11a Reset with the number 0, which does not count',
    run: a => {
      a.receive('4', 0, [[36, 25]]);
      a.receive('4', 0, [
        [36, 50],
        [123, 'N'],
      ]);
      a.receive('1', 50, [[112, 'x']]);
    },
    sent: ['0 112=x'],
    nextIn: 51,
  },
  {
    name: '11c Reset with the number 0 to a lower number',
    run: a => a.receive('4', 0, [[36, 1]]),
    sent: ['3 45=0 371=36 372=4 373=5 58=Value is incorrect (out of range) for this tag'],
    nextIn: 2,
  },
  {
    name: '11 a GapFill with the number 0',
    run: a =>
      a.receive('4', 0, [
        [36, 9],
        [123, 'Y'],
      ]),
    sent: ['5 58=MsgSeqNum missing or no number'],
    closed: /MsgSeqNum/,
  },
  { name: '11a Reset to a higher number', run: a => a.receive('4', 99, [[36, 9]]), sent: [], nextIn: 9 },
  { name: '11b Reset to the number expected', run: a => a.receive('4', 1, [[36, 2]]), sent: [], nextIn: 2 },
  {
    name: '11c Reset to a lower number',
    run: a => {
      a.receive('4', 1, [[36, 1]]);
      a.receive('1', 2, [[112, 'x']]);
    },
    sent: ['3 45=1 371=36 372=4 373=5 58=Value is incorrect (out of range) for this tag', '0 112=x'],
    nextIn: 3,
  },
  {
    name: '12, 13a our Logout, answered',
    run: a => {
      a.session.leave('the session ends; come back at 00:05 UTC');
      a.receive('1', 2, [[112, 'x']]);
      expect(a.closed).toBeUndefined();
      a.receive('5', 3);
    },
    sent: ['5 58=the session ends; come back at 00:05 UTC', '0 112=x'],
    closed: /logged out/,
    nextIn: 4,
  },
  {
    name: '12 our Logout, not answered',
    run: a => {
      a.session.leave('bye');
      a.pass(10_000);
    },
    sent: ['5 58=bye'],
    closed: /not answered/,
  },
  { name: '13b the client logs out', run: a => a.receive('5', 2), sent: ['5'], closed: /logged out/, nextIn: 3 },
  {
    name: '13b a Logout above a gap is answered too, and the gap is left for the next logon',
    run: a => a.receive('5', 7),
    sent: ['5'],
    closed: /logged out/,
    nextIn: 2,
  },
  {
    name: '13b a Logout whose number is too low is answered too',
    run: a => {
      a.receive('4', 2, [
        [123, 'Y'],
        [36, 20],
      ]);
      a.receive('5', 3);
    },
    sent: ['5'],
    closed: /logged out/,
    nextIn: 20,
  },
  {
    name: '14a a tag that FIX 4.4 does not have',
    run: a =>
      a.receive('1', 2, [
        [999, 'x'],
        [112, 'x'],
      ]),
    sent: [`3 45=2 ${REJECT_BODY('999', 0)} 58=Invalid tag number`],
    nextIn: 3,
  },
  {
    name: '14a a tag that is no number',
    run: a =>
      a.session.receive(
        framed(`35=1\x0134=2\x0149=CLIENT\x0152=${stampOf(a.nowMs)}\x0156=MILLRACE\x01-1=x\x01112=x\x01`),
      ),
    sent: [`3 45=2 ${REJECT_BODY('-1', 0)} 58=Invalid tag number`],
    nextIn: 3,
  },
  {
    name: '14b a required field is missing',
    run: a => a.receive('1', 2),
    sent: [`3 45=2 ${REJECT_BODY('112', 1)} 58=Required tag missing`],
    nextIn: 3,
  },
  {
    name: '14b a required field of the header is missing',
    run: a => a.receive('1', 2, [[112, 'x']], { 49: '' }),
    sent: [`3 45=2 ${REJECT_BODY('49', 1)} 58=Required tag missing`],
    nextIn: 3,
  },
  {
    name: '14b MsgSeqNum is missing',
    run: a => a.receive('1', 2, [[112, 'x']], { 34: '' }),
    sent: ['5 58=MsgSeqNum missing or no number'],
    closed: /MsgSeqNum/,
  },
  {
    name: '14c a tag that the message type does not have',
    run: a =>
      a.receive('1', 2, [
        [112, 'x'],
        [55, 'x'],
      ]),
    sent: [`3 45=2 ${REJECT_BODY('55', 2)} 58=Tag not defined for this message type`],
    nextIn: 3,
  },
  {
    name: '14d a tag without a value',
    run: a => a.receive('1', 2, [[112, '']]),
    sent: [`3 45=2 ${REJECT_BODY('112', 4)} 58=Tag specified without a value`],
    nextIn: 3,
  },
  {
    name: '14d a CompID without a value',
    run: a => a.session.receive(framed(`35=0\x0134=2\x0149=CLIENT\x0152=${stampOf(a.nowMs)}\x0156=\x01`)),
    sent: ['3 45=2 371=56 372=0 373=4 58=Tag specified without a value'],
    nextIn: 3,
  },
  {
    name: '14e a value out of range in a message that is not taken',
    run: a =>
      a.receive('D', 2, [
        [11, 'ID'],
        [21, 4],
      ]),
    sent: ['3 45=2 371=21 372=D 373=5 58=Value is incorrect (out of range) for this tag'],
    nextIn: 3,
  },
  {
    name: '14e a value out of range',
    run: a =>
      a.receive('V', 2, [
        [262, 'r'],
        [263, 1],
        [264, 0],
        [815, 9],
      ]),
    sent: ['3 45=2 371=815 372=V 373=5 58=Value is incorrect (out of range) for this tag'],
    nextIn: 3,
  },
  {
    name: '14f a value in a wrong format',
    run: a =>
      a.receive('V', 2, [
        [262, 'r'],
        [263, 1],
        [264, 'x'],
      ]),
    sent: ['3 45=2 371=264 372=V 373=6 58=Incorrect data format for value'],
    nextIn: 3,
  },
  {
    name: '14g a field of the header in the body',
    run: a =>
      a.receive('1', 2, [
        [112, 'x'],
        [57, 'x'],
      ]),
    sent: [`3 45=2 ${REJECT_BODY('57', 14)} 58=Tag specified out of required order`],
    nextIn: 3,
  },
  {
    name: '14h a tag twice',
    run: a =>
      a.receive('1', 2, [
        [112, 'x'],
        [112, 'y'],
      ]),
    sent: [`3 45=2 ${REJECT_BODY('112', 13)} 58=Tag appears more than once`],
    nextIn: 3,
  },
  {
    name: '14h a tag twice in a message that is not taken',
    run: a =>
      a.receive('D', 2, [
        [11, 'ID'],
        [40, 1],
        [40, 2],
      ]),
    sent: ['3 45=2 371=40 372=D 373=13 58=Tag appears more than once'],
    nextIn: 3,
  },
  {
    name: '14i a group with too few entries in a message that is not taken',
    run: a =>
      a.receive('D', 2, [
        [386, 3],
        [336, 'PRE-OPEN'],
        [336, 'AFTER-HOURS'],
      ]),
    sent: ['3 45=2 371=386 372=D 373=16 58=Incorrect NumInGroup count for repeating group'],
    nextIn: 3,
  },
  {
    name: '14i groups with enough entries in a message that is not taken, and one with too few',
    run: a => {
      const session = [336, 'PRE-OPEN'] as const;
      a.receive('D', 2, [[386, 1], session, [386, 2], session, session]);
      a.receive('D', 3, [[386, 1], session, [386, 2], session, [453, 1], [448, 'ID']]);
    },
    sent: ['3 45=3 371=386 372=D 373=16 58=Incorrect NumInGroup count for repeating group'],
    nextIn: 4,
  },
  {
    name: '14i a group with another count than entries',
    run: a =>
      a.receive('V', 2, [
        [262, 'r'],
        [263, 1],
        [264, 0],
        [267, 2],
        [269, 0],
        [146, 1],
        [55, 'A'],
      ]),
    sent: ['3 45=2 371=267 372=V 373=16 58=Incorrect NumInGroup count for repeating group'],
    nextIn: 3,
  },
  {
    name: '14 a group that does not start with its first tag',
    run: a =>
      a.receive('V', 2, [
        [262, 'r'],
        [263, 1],
        [264, 0],
        [267, 1],
        [269, 0],
        [146, 1],
        [48, 'A'],
        [55, 'A'],
      ]),
    sent: ['3 45=2 371=48 372=V 373=15 58=Repeating group fields out of order'],
    nextIn: 3,
  },
  {
    name: '15 header and body in another order',
    run: a =>
      a.session.receive(framed(`35=1\x0156=MILLRACE\x0152=${stampOf(a.nowMs)}\x0149=CLIENT\x0134=2\x01112=x\x01`)),
    sent: ['0 112=x'],
    nextIn: 3,
  },
  {
    name: '20 a ResendRequest above a gap is answered before the gap is filled',
    run: a => {
      a.receive('2', 3, [
        [7, 1],
        [16, 0],
      ]);
      a.receive(
        '4',
        2,
        [
          [123, 'Y'],
          [36, 3],
        ],
        { 43: 'Y', 122: stampOf(a.nowMs) },
      );
    },
    sent: ['4 43=Y 123=Y 36=2', '2 7=2 16=0'],
    nextIn: 4,
  },
  {
    name: 'a second Logon inside the session',
    run: a => a.logOn(2),
    sent: ['3 45=2 372=A 373=99 58=already logged on'],
    nextIn: 3,
  },
  {
    name: 'a Logon inside the session that starts both numbers over',
    run: a => {
      a.receive('ZZ', 2);
      a.receive('0', 5);
      a.take();
      a.logOn(1, [[141, 'Y']]);
      a.receive('1', 2, [[112, 'x']]);
      a.receive('2', 3, [
        [7, 1],
        [16, 0],
      ]);
    },
    sent: ['A 141=Y', '0 112=x', '4 43=Y 123=Y 36=3'],
    nextIn: 4,
  },
  {
    name: 'a Logon inside the session that starts them over, and is not right',
    run: a =>
      a.receive('A', 1, [
        [98, 0],
        [108, 61],
        [141, 'Y'],
      ]),
    sent: ['5 58=MsgSeqNum too low, expecting 2 but received 1'],
    closed: /too low/,
  },
  {
    name: 'a gap that stays open is asked for again after the heartbeat interval',
    run: a => {
      a.receive('0', 5);
      a.pass(29_000);
      expect(a.takeShort([7])).toEqual(['2 7=2']);
      a.pass(1_500);
    },
    sent: ['0', '2 7=2 16=0'],
  },
  {
    name: 'a message over the limit',
    run: a => a.session.receive(Buffer.from('8=FIX.4.4\x019=65537\x0135=0\x01')),
    sent: ['5 58=a message is longer than 65536 bytes, or a field has no end'],
    closed: /longer/,
  },
];

describe('R73 session', () => {
  it.each(SCENARIOS)('R73 $name', ({ run, sent, closed, nextIn }) => {
    const acceptor = loggedOn();
    run(acceptor);
    if (sent !== undefined) {
      const tags = SHOWN.filter(tag => tag !== 98 && tag !== 108);
      expect(acceptor.takeShort(tags).map(order)).toEqual(sent.map(order));
    }
    if (closed === undefined) expect(acceptor.closed).toBeUndefined();
    else expect(acceptor.closed).toMatch(closed);
    if (nextIn !== undefined) expect(acceptor.session.numbers.nextIn).toBe(nextIn);
  });

  it('R73 16 messages above a gap wait within bounds, and what was dropped is asked for', () => {
    const acceptor = loggedOn();
    const again = { 43: 'Y', 122: stampOf(acceptor.nowMs) };
    for (let seqNum = 3; seqNum < 1_200; seqNum++) acceptor.receive('0', seqNum);
    expect(acceptor.takeShort([7])).toEqual(['2 7=2']);
    acceptor.receive('0', 2, [], again);
    expect(acceptor.session.numbers.nextIn).toBe(1_003);
    acceptor.receive('0', 1_200);
    expect(acceptor.takeShort([7])).toEqual(['2 7=1003']);
  });

  it('R73 2r a message of the application goes to it, in order', () => {
    const acceptor = loggedOn();
    acceptor.receive('D', 3, [[55, 'A']]);
    acceptor.receive('V', 2, [
      [262, 'r'],
      [263, 1],
      [264, 0],
      [267, 1],
      [269, 0],
      [146, 1],
      [55, 'A'],
    ]);
    expect(acceptor.applications).toEqual(['V', 'D']);
  });

  it('R73 a Reject goes back by the way that the message was routed, except where a field is empty', () => {
    const acceptor = loggedOn();
    const routes = { 115: 'A', 116: 'B', 144: 'C', 128: 'D', 129: 'E', 145: 'F' };
    acceptor.receive('ZZ', 2, [], { 115: 'A', 116: 'B', 144: 'C' });
    acceptor.receive('ZZ', 3, [], { 128: 'D', 129: 'E', 145: 'F' });
    acceptor.session.receive(
      framed(`35=ZZ\x0134=4\x0149=CLIENT\x0152=${stampOf(acceptor.nowMs)}\x0156=MILLRACE\x01115=A\x01116=\x01`),
    );
    expect(acceptor.takeShort(Object.keys(routes).map(Number))).toEqual([
      '3 128=A 129=B 145=C',
      '3 115=D 116=E 144=F',
      '3 128=A',
    ]);
  });

  it('R73 answers have their fields in the order of their tags, as other engines write them', () => {
    const acceptor = loggedOn();
    acceptor.receive('1', 2);
    acceptor.receive('2', 3, [
      [7, 1],
      [16, 0],
    ]);
    const [reject = [], fill = [], again = []] = acceptor.take().map(fields => fields.map(([tag]) => tag).slice(2));
    expect(reject).toEqual([35, 34, 49, 52, 56, 45, 58, 371, 372, 373, 10]);
    expect(fill).toEqual([35, 34, 43, 49, 52, 56, 122, 36, 123, 10]);
    expect(again).toEqual([35, 34, 43, 49, 52, 56, 122, 45, 58, 371, 372, 373, 10]);
  });

  it('R73 a ResendRequest tells the application what was filled', () => {
    const acceptor = loggedOn();
    acceptor.receive('2', 2, [
      [7, 1],
      [16, 0],
    ]);
    expect(acceptor.filled).toEqual([[1, 1]]);
  });
});

/** Fields of a short text in one order: 58 may hold blanks, and stands last. */
function order(short: string): string {
  const [head = '', text] = short.split(/ (?=58=)/);
  const [type = '', ...fields] = head.split(' ');
  const own = text?.replace(/ (371|372|373)=.*$/, '');
  const behind = text === undefined ? [] : [...text.matchAll(/ ((?:371|372|373)=\S+)/g)].map(([, field = '']) => field);
  return [type, ...[...fields, ...behind].sort(), own].filter(part => part !== undefined).join(' ');
}
