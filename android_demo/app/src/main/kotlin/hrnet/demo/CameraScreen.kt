package hrnet.demo

import android.Manifest
import android.content.pm.PackageManager
import android.hardware.display.DisplayManager
import android.os.Bundle
import android.view.Menu
import android.view.MenuItem
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.CameraState
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import androidx.camera.lifecycle.ProcessCameraProvider
import hrnet.core.Frame
import hrnet.core.Stage
import java.util.concurrent.ExecutionException

private const val EVERY = 250_000_000L // nanoseconds, from one line of text to the next

/** The camera, and the people in front of it. */
class CameraScreen : Screen(R.layout.camera) {
    private val view by lazy { findViewById<PoseView>(R.id.picture) }
    private val permission =
        registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
            if (granted) start() else say(getString(R.string.refused))
        }
    private var front = false
    private var analysis: ImageAnalysis? = null

    @Volatile private var frozen = false

    // Of the worker alone.
    private val frame = Frame()
    private var lastFront = false
    private var said = 0L

    /** A phone turned from one side to the other starts no screen anew. */
    private val turned = object : DisplayManager.DisplayListener {
        override fun onDisplayChanged(id: Int) {
            view.display?.let { analysis?.targetRotation = it.rotation }
        }

        override fun onDisplayAdded(id: Int) = Unit

        override fun onDisplayRemoved(id: Int) = Unit
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            start()
        } else {
            permission.launch(Manifest.permission.CAMERA)
        }
    }

    override fun onStart() {
        super.onStart()
        getSystemService(DisplayManager::class.java).registerDisplayListener(turned, null)
    }

    override fun onStop() {
        getSystemService(DisplayManager::class.java).unregisterDisplayListener(turned)
        super.onStop()
    }

    override fun onCreateOptionsMenu(menu: Menu): Boolean {
        menuInflater.inflate(R.menu.camera, menu)
        return super.onCreateOptionsMenu(menu)
    }

    override fun onOptionsItemSelected(item: MenuItem): Boolean {
        when (item.itemId) {
            R.id.freeze -> {
                frozen = !frozen
                item.setTitle(if (frozen) R.string.go_on else R.string.freeze)
            }
            R.id.turn -> {
                front = !front
                start()
            }
            else -> return super.onOptionsItemSelected(item)
        }
        return true
    }

    private fun start() {
        val future = ProcessCameraProvider.getInstance(this)
        future.addListener({
            try {
                bind(future.get())
            } catch (error: ExecutionException) {
                say(getString(R.string.no_camera, error.cause?.message))
            } catch (error: IllegalArgumentException) { // CameraX: the phone has no such camera
                say(getString(R.string.no_camera, error.message))
            }
        }, mainExecutor)
    }

    private fun bind(provider: ProcessCameraProvider) {
        val analysis = ImageAnalysis.Builder()
            .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
            .build()
        val facing = front
        this.analysis = analysis
        analysis.setAnalyzer(worker) { image -> image.use { look(it, facing) } }
        provider.unbindAll()
        val side = if (front) CameraSelector.DEFAULT_FRONT_CAMERA else CameraSelector.DEFAULT_BACK_CAMERA
        val camera = provider.bindToLifecycle(this, side, analysis)
        view.mirrored = front
        camera.cameraInfo.cameraState.observe(this) { state: CameraState ->
            state.error?.let { say(getString(R.string.camera_lost, it.code)) }
        }
    }

    /** In the worker: one image from the camera. */
    private fun look(image: ImageProxy, front: Boolean) {
        if (frozen) return
        engineHere { engine ->
            if (front != lastFront) engine.forget()
            lastFront = front
            val start = System.nanoTime()
            val plane = image.planes[0]
            frame.fill(
                plane.buffer,
                image.width,
                image.height,
                plane.rowStride,
                image.imageInfo.rotationDegrees,
            )
            engine.latency.add(Stage.COPY, System.nanoTime() - start)
            val people = engine.follow(frame, image.imageInfo.timestamp / 1e9)
            view.show(frame, engine.card.keypoints, people)
            if (start - said > EVERY) {
                said = start
                say(describe(engine, people.count > 0))
            }
        }
    }

    private fun describe(engine: Engine, found: Boolean): String {
        val milliseconds = engine.latency.percentile(Stage.NETWORK, 50)
        val line = getString(R.string.state, engine.choice.model, engine.runsOn, milliseconds)
        return if (found) line else "$line\n${getString(R.string.nobody)}"
    }
}
