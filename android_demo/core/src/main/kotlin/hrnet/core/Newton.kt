package hrnet.core

/** The step from the centre of a patch to the summit of its second-order fit. */
class Newton {
    var x = 0f
    var y = 0f

    /** Derivatives at the centre; [ridge] is added to both second ones. */
    fun step(dx: Float, dy: Float, dxx: Float, dyy: Float, dxy: Float, ridge: Float = 0f) {
        val a = dxx + ridge
        val b = dyy + ridge
        val area = a * b - dxy * dxy
        x = if (area == 0f) 0f else (dxy * dy - b * dx) / area
        y = if (area == 0f) 0f else (dxy * dx - a * dy) / area
    }
}
