plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "hrnet.demo"
    compileSdk = 36

    defaultConfig {
        applicationId = "hrnet.demo"
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = "1"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }

    androidResources {
        noCompress += "tflite"
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    sourceSets["androidTest"].java.srcDir("../core/src/golden/kotlin")
    sourceSets["androidTest"].resources.srcDir("../core/src/golden/resources")
    testOptions.unitTests.isIncludeAndroidResources = true
}

kotlin {
    jvmToolchain(17)
}

dependencies {
    implementation(project(":core"))
    implementation("androidx.activity:activity-ktx:1.10.1")
    implementation("androidx.camera:camera-camera2:1.5.2")
    implementation("androidx.camera:camera-lifecycle:1.5.2")
    implementation("com.google.ai.edge.litert:litert:2.1.6")
    testImplementation("junit:junit:4.13.2")
    testImplementation("org.robolectric:robolectric:4.14.1")
    androidTestImplementation("androidx.test:runner:1.6.2")
    androidTestImplementation("androidx.test.ext:junit:1.2.1")
}

val checkModels by tasks.registering {
    val assets = layout.projectDirectory.dir("src/main/assets").asFile
    doLast {
        val models = assets.listFiles { file -> file.extension == "tflite" }.orEmpty()
        val without = models.filterNot { File(assets, "${it.nameWithoutExtension}.json").isFile }
        if (models.isEmpty() || without.isNotEmpty()) {
            val what = without.firstOrNull()?.let { "${it.name} has no card beside it" } ?: "there is no model"
            throw GradleException(
                "In app/src/main/assets $what. Write model and card from the root of the repository: " +
                    "python convert/to_tflite.py --model=tinypose_256x192 --int8 --android",
            )
        }
    }
}

tasks.named("preBuild") { dependsOn(checkModels) }
