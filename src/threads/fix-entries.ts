/**
 * A FIX lane's frame: entries of market data as fields of FIX, which sessions copy into their messages with the sum of
 * the bytes. Integers are little-endian.
 *
 * `0 u32 sum of the fields' bytes · 4 u32 entries · 8 u32 checksum of the book · 12 u32 flags · 16 the fields`
 *
 * A whole document (snapshot, part): `269, 270, 271, 290` per level. A change: `279, 269, 55, 270, 271`; a removed
 * level has no 271. A trade: `279, 269, 278, 55, 270, 271, 272, 273`. Announcements (gap, stale) are JSON instead.
 */
export const FIX_HEADER_BYTES = 16;
/** Flag: the checksum is that of the book after the change. */
export const FIX_HAS_CHECKSUM = 1;
