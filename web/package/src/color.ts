/** CIE Lab (D65) from and to sRGB. */

export type Lab = [lightness: number, a: number, b: number];

const WHITE = [0.950456, 1, 1.088754];
const TO_XYZ = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
];
const FROM_XYZ = [
  [3.240479, -1.53715, -0.498535],
  [-0.969256, 1.875991, 0.041556],
  [0.055648, -0.204043, 1.057311],
];
const LINEAR = Float64Array.from({ length: 256 }, (_, level) => {
  const value = level / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

/** From levels of red, green and blue, 0 to 255. */
export function toLab(red: number, green: number, blue: number): Lab {
  const [r, g, b] = [LINEAR[red], LINEAR[green], LINEAR[blue]];
  const [x, y, z] = TO_XYZ.map((row, i) => {
    const share = (row[0] * r + row[1] * g + row[2] * b) / WHITE[i];
    return share > 0.008856 ? Math.cbrt(share) : 7.787 * share + 16 / 116;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Levels of red, green and blue; beyond 0 to 255 where no screen shows the color. */
export function fromLab([lightness, a, b]: Lab): [red: number, green: number, blue: number] {
  const y = (lightness + 16) / 116;
  const [u, v, w] = [y + a / 500, y, y - b / 200].map((root, i) => {
    const share = root > 6 / 29 ? root ** 3 : (root - 16 / 116) / 7.787;
    return share * WHITE[i];
  });
  const level = (row: readonly number[]) => {
    const value = row[0] * u + row[1] * v + row[2] * w;
    return 255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);
  };
  return [level(FROM_XYZ[0]), level(FROM_XYZ[1]), level(FROM_XYZ[2])];
}
