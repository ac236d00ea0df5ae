// Signatures of what the app uses of androidx, for the type-check; symbols.txt lists them.
@file:Suppress("UNUSED_PARAMETER")

package androidx.lifecycle

interface LifecycleOwner

fun interface Observer<T> {
    fun onChanged(value: T)
}

abstract class LiveData<T> {
    open fun observe(owner: LifecycleOwner, observer: Observer<in T>): Unit = TODO()
}
