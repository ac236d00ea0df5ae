import { DarkDecoder } from './dark_decoder.js';
import { OffsetDecoder } from './offset_decoder.js';
import { QuarterDecoder } from './quarter_decoder.js';
import { UdpDecoder } from './udp_decoder.js';

/**
 * How keypoints are read from heat maps; the codecs of `hrnet_tf/cards/codecs`.
 *
 * `channels` is the number of maps of one keypoint. Crops of `aligned` codecs are made by UDP's
 * matrix. `decoder(height, width, count)` makes what reads heat maps of this size: its `decode(maps,
 * points, scores)` writes K points (x, y) in crop pixels and their scores, the maxima of the maps. A
 * map without a positive value gives (0, 0).
 *
 * @typedef {{channels: number, aligned: boolean, blurKernel: number,
 *   decoder: (height: number, width: number, count: number) => Decoder}} Codec
 *
 * @typedef {{decode: (maps: Float32Array, points: Float32Array, scores: Float32Array) => void}} Decoder
 */

/** @type {Record<string, (fields: any) => Codec>} */
export const CODECS = {
  // A quarter of a pixel towards the higher neighbour (Sun et al., CVPR 2019).
  msra: () => plain((...size) => new QuarterDecoder(...size, { first: 2, shift: 0 })),
  // The same, and half a pixel: the original face tools cut coordinates down.
  face: () => plain((...size) => new QuarterDecoder(...size, { first: 1, shift: 0.5 })),
  // A second-order step on the blurred logarithm (Zhang et al., CVPR 2020).
  dark: ({ blur_kernel: kernel }) => plain((...size) => new DarkDecoder(...size, kernel), kernel),
  // The same on 3x3 pixels, for coordinates between pixel centres (Huang et al., CVPR 2020).
  udp: ({ blur_kernel: kernel }) => aligned((...size) => new UdpDecoder(...size, kernel), kernel),
  // A disc and two maps of offsets to its centre for each keypoint (Huang et al.).
  udp_combined: ({ radius_factor: radius, blur_kernel: kernel }) =>
    aligned((...size) => new OffsetDecoder(...size, radius, kernel), kernel, 3),
};

const plain = (decoder, blurKernel = 1) => ({ channels: 1, aligned: false, blurKernel, decoder });
const aligned = (decoder, blurKernel, channels = 1) => ({
  channels,
  aligned: true,
  blurKernel,
  decoder,
});
