package hrnet.demo

import android.app.AlertDialog
import android.content.Intent
import android.content.SharedPreferences
import android.os.Bundle
import android.view.Menu
import android.view.MenuItem
import android.widget.TextView
import androidx.activity.ComponentActivity
import com.google.ai.edge.litert.Accelerator
import hrnet.core.PoseException
import java.util.concurrent.ExecutorService
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

/**
 * What the three screens share: the model in use and its menu, one thread for the network, and a line
 * of text in which everything that goes wrong is said.
 */
abstract class Screen(private val layout: Int) : ComponentActivity() {
    /** Where the network runs; the engine is touched by this thread alone. */
    protected lateinit var worker: ExecutorService
        private set
    private var engine: Engine? = null
    private var refused: Choice? = null // cannot be opened: it has been said, and is not tried again
    @Volatile private var chosen: Choice? = null
    private val preferences by lazy { getSharedPreferences("choice", MODE_PRIVATE) }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(layout)
        val tasks = LinkedBlockingQueue<Runnable>()
        // A camera may hand over an image too late: nobody wants it any more.
        worker = ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, tasks, ThreadPoolExecutor.DiscardPolicy())
    }

    override fun onResume() {
        super.onResume()
        chosen = choice()
        if (chosen == null) say(getString(R.string.no_model))
    }

    override fun onDestroy() {
        chosen = null
        worker.execute {
            engine?.close()
            engine = null
        }
        worker.shutdown()
        super.onDestroy()
    }

    /** Calls [use] in the worker with the engine that the user wants; whatever fails is said. */
    protected fun withEngine(use: (Engine) -> Unit) = worker.execute { engineHere(use) }

    /** The same for what runs in the worker already. */
    protected fun engineHere(use: (Engine) -> Unit) {
        val choice = chosen?.takeIf { it != refused } ?: return
        try {
            use(engine?.takeIf { it.choice == choice } ?: open(choice))
        } catch (error: PoseException) {
            say(error.message.orEmpty())
        }
    }

    private fun open(choice: Choice): Engine {
        engine?.close()
        engine = null
        refused = choice // until it is open
        say(getString(R.string.opening, choice.model))
        return Engine(assets, choice).also {
            engine = it
            refused = null
        }
    }

    /** Shows a sentence; from any thread. */
    protected fun say(sentence: String) = runOnUiThread {
        findViewById<TextView>(R.id.message).text = sentence
    }

    /** The user has another model, accelerator or number of threads. */
    protected open fun onChosen() = Unit

    private fun choice(): Choice? {
        val names = modelNames(assets)
        val name = preferences.getString("model", null)?.takeIf { it in names } ?: names.firstOrNull()
        val accelerator = preferences.getString("accelerator", null) ?: Accelerator.CPU.name
        return name?.let {
            Choice(it, Accelerator.valueOf(accelerator), preferences.getInt("threads", DEFAULT_THREADS))
        }
    }

    override fun onCreateOptionsMenu(menu: Menu): Boolean {
        menuInflater.inflate(R.menu.screen, menu)
        return true
    }

    override fun onOptionsItemSelected(item: MenuItem): Boolean {
        when (item.itemId) {
            R.id.model -> pick(R.string.model, modelNames(assets)) { putString("model", it) }
            R.id.accelerator -> pick(R.string.accelerator, ACCELERATORS) { putString("accelerator", it) }
            R.id.threads -> pick(R.string.threads, THREADS) { putInt("threads", it.toInt()) }
            R.id.camera -> go(CameraScreen::class.java)
            R.id.photo -> go(PhotoScreen::class.java)
            R.id.benchmark -> go(BenchmarkScreen::class.java)
            else -> return super.onOptionsItemSelected(item)
        }
        return true
    }

    private fun pick(
        title: Int,
        names: List<String>,
        keep: SharedPreferences.Editor.(String) -> Unit,
    ) {
        AlertDialog.Builder(this).setTitle(title).setItems(names.toTypedArray()) { _, index ->
            preferences.edit().apply { keep(names[index]) }.apply()
            chosen = choice()
            onChosen()
        }.show()
    }

    private fun go(screen: Class<*>) {
        if (javaClass != screen) {
            startActivity(Intent(this, screen).addFlags(Intent.FLAG_ACTIVITY_REORDER_TO_FRONT))
        }
    }

    companion object {
        const val DEFAULT_THREADS = 4
        val ACCELERATORS = listOf(Accelerator.CPU, Accelerator.GPU, Accelerator.NPU).map { it.name }
        val THREADS = listOf("1", "2", "4")
    }
}
