// Signatures of androidx.activity 1.10.
package androidx.activity.result.contract

import android.net.Uri

abstract class ActivityResultContract<I, O>

class ActivityResultContracts private constructor() {
    class RequestPermission : ActivityResultContract<String, Boolean>()

    open class GetContent : ActivityResultContract<String, Uri?>()
}
