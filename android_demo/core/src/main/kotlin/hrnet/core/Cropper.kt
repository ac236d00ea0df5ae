package hrnet.core

/** Cuts a region out of a frame, zero outside: `crop` of `hrnet_tf/tasks/pose/geometry.py`. */
class Cropper(card: Card) {
    private val resampler = Resampler(card.mean, card.std, card.input)

    /** Writes the network's input for what [region] shows of [frame]. */
    fun crop(frame: Frame, region: Region, input: Tensor) {
        resampler.columns.place(region.scaleX, region.shiftX, frame.width, frame.stepX)
        resampler.rows.place(region.scaleY, region.shiftY, frame.height, frame.stepY)
        resampler.draw(frame, input)
    }
}
