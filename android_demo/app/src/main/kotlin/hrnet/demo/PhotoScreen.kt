package hrnet.demo

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ImageDecoder
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.provider.MediaStore
import android.view.Menu
import android.view.MenuItem
import androidx.activity.result.contract.ActivityResultContracts
import hrnet.core.Frame
import hrnet.core.PoseException
import java.io.IOException
import java.nio.ByteBuffer

private const val LONGEST = 2048 // pixels; larger photos are made smaller

/** One picture: a drawing that came with the app, or a photo of the user's. */
class PhotoScreen : Screen(R.layout.photo) {
    private val frame = Frame()
    private val picker = registerForActivityResult(ActivityResultContracts.GetContent()) { uri ->
        if (uri != null) open(uri)
    }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        take(BitmapFactory.decodeResource(resources, R.drawable.drawing))
    }

    override fun onResume() {
        super.onResume()
        look() // perhaps with another model by now
    }

    override fun onCreateOptionsMenu(menu: Menu): Boolean {
        menuInflater.inflate(R.menu.photo, menu)
        return super.onCreateOptionsMenu(menu)
    }

    override fun onOptionsItemSelected(item: MenuItem): Boolean {
        if (item.itemId != R.id.open) return super.onOptionsItemSelected(item)
        picker.launch("image/*")
        return true
    }

    override fun onChosen() = look()

    private fun open(uri: Uri) = worker.execute {
        try {
            take(decode(uri))
        } catch (_: IOException) {
            say(getString(R.string.no_picture))
        } catch (_: SecurityException) {
            say(getString(R.string.no_picture))
        }
    }

    private fun decode(uri: Uri): Bitmap {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.P) {
            @Suppress("DEPRECATION")
            return MediaStore.Images.Media.getBitmap(contentResolver, uri) ?: throw IOException()
        }
        val source = ImageDecoder.createSource(contentResolver, uri)
        return ImageDecoder.decodeBitmap(source) { decoder, info, _ ->
            val longest = maxOf(info.size.width, info.size.height)
            decoder.setTargetSampleSize((longest + LONGEST - 1) / LONGEST)
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        }
    }

    private fun take(picture: Bitmap) = worker.execute {
        val bitmap = picture.copy(Bitmap.Config.ARGB_8888, false)
        val buffer = ByteBuffer.allocateDirect(bitmap.byteCount)
        bitmap.copyPixelsToBuffer(buffer)
        try {
            frame.fill(buffer, bitmap.width, bitmap.height, bitmap.rowBytes)
            look()
        } catch (error: PoseException) {
            say(error.message.orEmpty())
        }
    }

    private fun look() = withEngine { engine ->
        if (frame.pixels.isEmpty()) return@withEngine
        val people = engine.find(frame)
        findViewById<PoseView>(R.id.picture).show(frame, engine.card.keypoints, people)
        val found = when (people.count) {
            0 -> getString(R.string.nobody)
            1 -> getString(R.string.found, 100 * people.poses[0].score)
            else -> getString(R.string.found_people, people.count)
        }
        say("${engine.choice.model}, ${engine.runsOn}\n$found")
    }
}
