// Signatures of androidx.camera:camera-core 1.5.
@file:Suppress("UNUSED_PARAMETER")

package androidx.camera.core

import androidx.lifecycle.LiveData
import java.nio.ByteBuffer
import java.util.concurrent.Executor

abstract class UseCase

interface Camera {
    val cameraInfo: CameraInfo
}

interface CameraInfo {
    val cameraState: LiveData<CameraState>
}

abstract class CameraState {
    abstract val error: StateError?

    abstract class StateError {
        abstract val code: Int
    }
}

class CameraSelector private constructor() {
    companion object {
        @JvmField val DEFAULT_BACK_CAMERA: CameraSelector = TODO()

        @JvmField val DEFAULT_FRONT_CAMERA: CameraSelector = TODO()
    }
}

interface ImageInfo {
    val rotationDegrees: Int
    val timestamp: Long
}

interface ImageProxy : AutoCloseable {
    val width: Int
    val height: Int
    val imageInfo: ImageInfo
    val planes: Array<PlaneProxy>

    interface PlaneProxy {
        val buffer: ByteBuffer
        val rowStride: Int
    }
}

class ImageAnalysis private constructor() : UseCase() {
    var targetRotation: Int = TODO()

    fun setAnalyzer(executor: Executor, analyzer: Analyzer): Unit = TODO()

    fun interface Analyzer {
        fun analyze(image: ImageProxy)
    }

    class Builder {
        fun setOutputImageFormat(format: Int): Builder = TODO()

        fun setBackpressureStrategy(strategy: Int): Builder = TODO()

        fun build(): ImageAnalysis = TODO()
    }

    companion object {
        const val OUTPUT_IMAGE_FORMAT_RGBA_8888 = 2
        const val STRATEGY_KEEP_ONLY_LATEST = 0
    }
}
