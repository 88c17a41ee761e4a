"use strict";

const signs = [
  [1000, "M"], [900, "CM"], [500, "D"], [400, "CD"], [100, "C"], [90, "XC"],
  [50, "L"], [40, "XL"], [10, "X"], [9, "IX"], [5, "V"], [4, "IV"], [1, "I"],
];

/** Returns a whole number from 1 to 3999 as a Roman numeral. */
exports.roman = (n) => {
  if (!Number.isInteger(n) || n < 1 || n > 3999) throw new RangeError(`${n} is no number from 1 to 3999`);
  let text = "";
  for (const [value, sign] of signs) {
    for (; n >= value; n -= value) text += sign;
  }
  return text;
};
