/**
 * What FIX 4.4 says about fields and messages, as far as a message that arrives is checked: which tags exist, what
 * their values look like, and what the messages that this acceptor takes may hold.
 */
import { MsgType } from './tags.js';

/** How a value is written. `text` is anything but empty. */
export type FieldType =
  | 'text'
  | 'int'
  | 'count'
  | 'float'
  | 'char'
  | 'boolean'
  | 'timestamp'
  | 'time'
  | 'date'
  | 'month'
  | 'data';

export interface GroupShape {
  /** Each entry starts with this tag. */
  readonly first: number;
  readonly members: ReadonlySet<number>;
  readonly groups: ReadonlyMap<number, GroupShape>;
}

interface MessageShape {
  readonly required: readonly number[];
  /** All tags of the body, those of groups not included. */
  readonly body: ReadonlySet<number>;
  readonly groups: ReadonlyMap<number, GroupShape>;
}

/** `1-3 7` → 1, 2, 3, 7. */
function tagsOf(ranges: string): number[] {
  return ranges.split(' ').flatMap(range => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** All fields of FIX 4.4. Tags from 5000 on belong to private agreements, of which there are none for what arrives. */
const ALL =
  '1-19 21-23 25-45 48-50 52-75 77-85 87-91 93-100 102-104 106-108 110-124 126-165 167-172 188-203 206-218 220-260 ' +
  '262-313 315-318 320-369 371-438 441-448 451-464 466-652 654-684 686-808 810-830 832-956';
const TYPED: readonly (readonly [FieldType, string])[] = [
  [
    'int',
    '7 16 34 36 45 67-68 74 82-83 87-88 98 102-103 108 157 169 172 197 201 203 209 216 226 244 251 264-265 287 290 ' +
      '297-298 300-301 303-304 315 321 323 326 334 338-340 346 368-369 371 373 378 380 393-395 399 401 409 414-417 ' +
      '422-423 427 429-431 441 452 460 462 477 487 492 495 507 519 522 533 537-538 549-550 557 559-560 563 565 567 569 ' +
      '577 581-582 585 607 626 630 638 658 660-661 663 665-666 668 680 686 690 692 694 698 706 709 712 718 722-725 ' +
      '727-729 731 733 748-752 759 770 773-776 780 784 786 788-789 792 794 796 798 803 805 807-808 812-815 819 826-829 ' +
      '832 835-838 840-844 846-847 851 853-857 865 871 875 891-892 895-896 903 905-906 910-911 919 924 926 928 935 937 ' +
      '939-940 944-946 951 954',
  ],
  [
    'count',
    '9 33 73 78 85 90 93 95 124 136 146 199 212 215 232 267-268 295-296 348 350 352 354 356 358 360 362 364 382-384 ' +
      '386 398 420 428 445 453-454 457 473 510 518 534 539 552 555 558 576 580 604 618 621 627 670 683 702 711 735 753 ' +
      '756 768 778 781 801-802 804 806 816 862 864 870 887 897 936 938 948 952',
  ],
  [
    'float',
    '6 12 14 31-32 38 44 53 80 84 99 110-111 118-119 132-135 137 140 151-155 158-159 188-192 194-195 202 210-211 218 ' +
      '223 227-228 231 236-238 245-246 252-253 260 270-271 293-294 316 330-333 366 381 387 389 396-397 402-408 410 ' +
      '412-413 424-426 435-437 451 469 485 512 516 520 540 561-562 566 612 614-615 623 631-634 637 639-643 645-648 651 ' +
      '652 656-657 662 669 673 679 681 684 687 697 704-705 708 730 732 734 737-738 741-742 745-746 765-766 799-800 ' +
      '810-811 834 839 845 849-850 858 860-861 863 867 869 879 882-886 890 898-901 920-922',
  ],
  [
    'char',
    '4 13 21 25 28-29 39-40 54 59 61 63 71 77 81 94 104 127 139 150 156 160 163 165 206 263 269 274 279 281 285 317 ' +
      '327 374 385 388 418-419 433-434 442 447 468 480-481 484 497 506 514 517 525 528 530-532 544 564 573 587 589-591 ' +
      '613 624 695 744 747 758 783 787 950',
  ],
  [
    'boolean',
    '43 97 113-114 121 123 130 141 208 258 266 325 328-329 377 411 464 547 570 575 636 650 700 719-720 754 797 852 ' +
      '893 912',
  ],
  ['timestamp', '42 52 60 62 122 126 168 341-345 367 438 443 483 515 586 629 769 779'],
  ['time', '273'],
  [
    'date',
    '64 75 193 224-225 229-230 240-242 247-249 254 259 272 432 486 490 503-504 541-542 588 611 696 701 715 739 743 ' +
      '866 873-874 915-917 956',
  ],
  ['month', '200 313 610 667 955'],
  ['data', '89 91 96 213 349 351 353 355 357 359 361 363 365 446 619 622'],
];

/** The type of each field of FIX 4.4, by its tag. */
export const FIELD_TYPES: ReadonlyMap<number, FieldType> = new Map([
  ...tagsOf(ALL).map(tag => [tag, 'text'] as const),
  ...TYPED.flatMap(([type, ranges]) => tagsOf(ranges).map(tag => [tag, type] as const)),
]);

/** A data field may hold SOH: the field before it says how long it is. */
export const DATA_OF_LENGTH: ReadonlyMap<number, number> = new Map([
  [90, 91],
  [93, 89],
  [95, 96],
  [212, 213],
  [348, 349],
  [350, 351],
  [352, 353],
  [354, 355],
  [356, 357],
  [358, 359],
  [360, 361],
  [362, 363],
  [364, 365],
  [445, 446],
  [618, 619],
  [621, 622],
]);

export const HEADER_TAGS: ReadonlySet<number> = new Set(
  tagsOf('8-9 34-35 43 49-50 52 56-57 90-91 97 115-116 122 128-129 142-145 212-213 347 369 627-630'),
);
export const HEADER_GROUPS: ReadonlyMap<number, GroupShape> = new Map([[627, group(628, '628-630')]]);
export const HEADER_REQUIRED: readonly number[] = [49, 56, 34, 52];
export const TRAILER_TAGS: ReadonlySet<number> = new Set([10, 89, 93]);

const SECURITY_TYPES =
  '? ABS AMENDED AN BA BN BOX BRADY BRIDGE BUYSELL CB CD CL CMBS CMO COFO COFP CORP CP CPP CS DEFLTED DINP DN DUAL EUCD ' +
  'EUCORP EUCP EUSOV EUSUPRA FAC FADN FOR FORWARD FUT GO IET LOFC LQN MATURED MBS MF MIO MLEG MPO MPP MPT MT MTN NONE ' +
  'ONITE OPT PEF PFAND PN PS PZFJ RAN REPLACD REPO RETIRED REV RVLV RVLVTRM SECLOAN SECPLEDGE SPCLA SPCLO SPCLT STN ' +
  'STRUCT SUPRA SWING TAN TAXA TBA TBILL TBOND TCAL TD TECP TERM TINT TIPS TNOTE TPRN TRAN VRDN WAR WITHDRN XCN XLINKD ' +
  'YANK YCD';

/** Values of fields that have few. What the market data part answers itself is not among them. */
export const ENUMERATED: ReadonlyMap<number, ReadonlySet<string>> = new Map([
  [21, new Set('123')],
  [40, new Set('123456789ABCDEFGHIJKLMP')],
  [54, new Set('123456789ABCDEFG')],
  [59, new Set('01234567')],
  [167, new Set(SECURITY_TYPES.split(' '))],
  [815, new Set(['0', '1', '2', '3'])],
  [380, new Set(['0', '1', '2', '3', '4', '5', '6', '7'])],
  [286, new Set(['0', '1', '2', '3', '4', '5'])],
  [546, new Set(['1', '2', '3'])],
]);

function group(first: number, members: string, groups: Readonly<Record<number, GroupShape>> = {}): GroupShape {
  const nested = new Map(Object.entries(groups).map(([tag, shape]) => [Number(tag), shape] as const));
  return { first, members: new Set(tagsOf(members)), groups: nested };
}

function message(
  required: readonly number[],
  optional: string,
  groups: Readonly<Record<number, GroupShape>> = {},
): MessageShape {
  const { groups: nested } = group(0, '0', groups);
  return { required, body: new Set([...required, ...(optional === '' ? [] : tagsOf(optional))]), groups: nested };
}

const INSTRUMENT = group(
  55,
  '22 48 55 65 106-107 167 200-202 207 223-229 231 239-240 255 348-351 454 460-461 470-472 541 543 555 667 691 711 762 ' +
    '864 873-876 947',
  {
    454: group(455, '455-456'),
    555: group(600, '248-254 257 556 596-604 607-624 739-740 764 942 955-956', { 604: group(605, '605-606') }),
    711: group(311, '241-247 256 305-313 315-318 362-365 435-436 457 462-463 542 592-595 763 810 877-879 882-887 941', {
      457: group(458, '458-459'),
      887: group(888, '888-889'),
    }),
    864: group(865, '865-868'),
  },
);

/** Messages that are taken. */
export const MESSAGES: ReadonlyMap<string, MessageShape> = new Map([
  [MsgType.heartbeat, message([], '112')],
  [MsgType.testRequest, message([112], '')],
  [MsgType.resendRequest, message([7, 16], '')],
  [MsgType.reject, message([45], '58 354-355 371-373')],
  [MsgType.sequenceReset, message([36], '123')],
  [MsgType.logout, message([], '58 354-355')],
  [MsgType.logon, message([98, 108], '95-96 141 383-384 464 553-554 789', { 384: group(372, '372 385') })],
  [
    MsgType.marketDataRequest,
    message([262, 263, 264, 267, 146], '265-266 286 386 546-547 812 815', {
      146: INSTRUMENT,
      267: group(269, '269'),
      386: group(336, '336 625'),
    }),
  ],
  [MsgType.businessReject, message([372, 380], '45 58 354-355 379')],
]);

/** All message types of FIX 4.4: one that is not taken is a matter of business, an unknown one of the session. */
export const MESSAGE_TYPES: ReadonlySet<string> = new Set(
  (
    '0 1 2 3 4 5 6 7 8 9 A B C D E F G H J K L M N P Q R S T V W X Y Z a b c d e f g h i j k l m n o p q r s t u v w ' +
    'x y z AA AB AC AD AE AF AG AH AI AJ AK AL AM AN AO AP AQ AR AS AT AU AV AW AX AY AZ BA BB BC BD BE BF BG BH'
  ).split(' '),
);
