package hrnet.demo

import android.content.Intent
import android.os.Build
import android.view.Menu
import android.view.MenuItem
import android.widget.TextView
import com.google.ai.edge.litert.Accelerator
import hrnet.core.Frame
import hrnet.core.PoseException
import hrnet.core.Stage
import java.nio.ByteBuffer
import java.util.Locale

private const val WARM_UP = 20
private const val FRAMES = 100

/** Every model on every accelerator and number of threads; stage by stage, to share as text. */
class BenchmarkScreen : Screen(R.layout.benchmark) {
    private val lines = StringBuilder()
    private var running = false

    override fun onCreateOptionsMenu(menu: Menu): Boolean {
        menuInflater.inflate(R.menu.benchmark, menu)
        return super.onCreateOptionsMenu(menu)
    }

    override fun onOptionsItemSelected(item: MenuItem): Boolean {
        when (item.itemId) {
            R.id.run -> if (!running) run()
            R.id.share -> share()
            else -> return super.onOptionsItemSelected(item)
        }
        return true
    }

    private fun run() {
        running = true
        lines.setLength(0)
        write("${Build.MANUFACTURER} ${Build.MODEL}, Android ${Build.VERSION.RELEASE}; ms p50/p90")
        worker.execute {
            for (choice in choices()) write(measure(choice))
            say(getString(R.string.finished))
            runOnUiThread { running = false }
        }
    }

    private fun choices() = modelNames(assets).flatMap { model ->
        THREADS.map { Choice(model, Accelerator.CPU, it.toInt()) } +
            listOf(Accelerator.GPU, Accelerator.NPU).map { Choice(model, it) }
    }

    private fun measure(choice: Choice): String = try {
        say(getString(R.string.measuring, choice.model, choice.accelerator.name))
        Engine(assets, choice).use { engine ->
            val frame = Frame()
            frame.fill(ByteBuffer.allocateDirect(4 * 640 * 480), 640, 480, rotation = 90)
            repeat(WARM_UP) { engine.follow(frame, it / 30.0) }
            engine.latency.clear()
            repeat(FRAMES) { engine.follow(frame, it / 30.0) }
            val stages = listOf(Stage.DETECT, Stage.CROP, Stage.NETWORK, Stage.DECODE).joinToString { stage ->
                val (half, most) = listOf(50, 90).map { engine.latency.percentile(stage, it) }
                String.format(Locale.ROOT, "%s %.1f/%.1f", stage.name.lowercase(), half, most)
            }
            "${choice.model}: ${engine.runsOn}: $stages"
        }
    } catch (error: PoseException) {
        "${choice.model}: ${error.message}"
    }

    private fun write(line: String) = runOnUiThread {
        lines.append(line).append('\n')
        findViewById<TextView>(R.id.results).text = lines
    }

    private fun share() {
        val send = Intent(Intent.ACTION_SEND).setType("text/plain")
        startActivity(Intent.createChooser(send.putExtra(Intent.EXTRA_TEXT, lines.toString()), null))
    }
}
