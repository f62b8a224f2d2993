/** Shares of sums of decimals, compared so that the error of adding doubles does not decide: three times 0.1 are 0.3. */
const RELATIVE_ERROR = 1e-9;

/** `value >= limit`. */
export const reaches = (value: number, limit: number): boolean => value >= limit - RELATIVE_ERROR * Math.abs(limit);

/** `value < limit`. */
export const isBelow = (value: number, limit: number): boolean => !reaches(value, limit);

/** `value > limit`. */
export const exceeds = (value: number, limit: number): boolean => value > limit + RELATIVE_ERROR * Math.abs(limit);

/** A sum as it is shown, without that error. */
export const significant = (value: number): number => Number(value.toPrecision(12));
