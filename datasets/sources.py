"""The official files of every data set: addresses, checksums and sizes, without anything heavy.

md5 sums are those that torchvision checks, sha256 sums those that TensorFlow Datasets recorded from the
official addresses; `content` sums were computed on the unpacked IDX files.
"""

from __future__ import annotations

from typing import Any

from datasets.types import RemoteFile

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_CIFAR = "https://www.cs.toronto.edu/~kriz/"
_SVHN = "http://ufldl.stanford.edu/housenumbers/"
_CELEBA = "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
_SMALL = "http://image-net.org/small/"
_SMALL_PAGE = (
    "https://arxiv.org/abs/1601.06759 (the official address was taken down; copies have the same checksum)"
)
_DOWNSAMPLED = "https://image-net.org/data/downsample/"
_OMNIGLOT = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
_LSUN = "http://dl.yf.io/lsun/scenes/"

# name, md5 of the file, md5 of its content, bytes
_IDX_FILES = {
    "mnist": (
        (
            "train-images-idx3-ubyte.gz",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "6bbc9ace898e44ae57da46a324031adb",
            9912422,
        ),
        (
            "train-labels-idx1-ubyte.gz",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "a25bea736e30d166cdddb491f175f624",
            28881,
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            "9fb629c4189551a2d022fa330f9573f3",
            "2646ac647ad5339dbf082846283269ea",
            1648877,
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            "ec29112dd5afa0611ce80d1b7f02629c",
            "27ae3e4e09519cfbb04c329615203637",
            4542,
        ),
    ),
    "fashion_mnist": (
        (
            "train-images-idx3-ubyte.gz",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            26421880,
        ),
        (
            "train-labels-idx1-ubyte.gz",
            "25c81989df183df01b3e8a0aad5dffbe",
            "9018921c3c673c538a1fc5bad174d6f9",
            29515,
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            "bef4ecab320f06d8554ea6380940ec79",
            "8181f5470baa50b63fa0f6fddb340f0a",
            4422102,
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            "bb300cfdad3c16e7a12a480ee83cd310",
            "15d484375f8d13e6eb1aabb0c3f46965",
            5148,
        ),
    ),
}


def _idx(name: str, base: str, place: str) -> list[RemoteFile]:
    return [
        RemoteFile(file, base + file, f"md5:{md5}", size, content=f"md5:{content}", places=(place,))
        for file, md5, content, size in _IDX_FILES[name]
    ]


def mnist(config: Any) -> list[RemoteFile]:
    """Train images, train labels, test images, test labels, as IDX files (LeCun et al., 1998)."""
    return _idx("mnist", _MNIST, "MNIST/raw")


def fashion_mnist(config: Any) -> list[RemoteFile]:
    """Train images, train labels, test images, test labels, as IDX files (Xiao et al., 2017)."""
    return _idx("fashion_mnist", _FASHION, "FashionMNIST/raw")


def cifar10(config: Any) -> list[RemoteFile]:
    """The binary archive of CIFAR-10 (Krizhevsky, 2009)."""
    name = "cifar-10-binary.tar.gz"
    return [RemoteFile(name, _CIFAR + name, "md5:c32a1d4ab5d03f1284b67883e8d87530", 170052171)]


def cifar100(config: Any) -> list[RemoteFile]:
    """The binary archive of CIFAR-100 (Krizhevsky, 2009)."""
    name = "cifar-100-binary.tar.gz"
    return [RemoteFile(name, _CIFAR + name, "md5:03b5dce01913d631647c71ecec9e9cb8", 168513733)]


def svhn(config: Any) -> list[RemoteFile]:
    """Cropped digits: train, test and, where the settings ask for it, extra (Netzer et al., 2011)."""
    files = [
        RemoteFile(
            "train_32x32.mat", _SVHN + "train_32x32.mat", "md5:e26dedcc434d2e4c54c9b2d4a06d8373", 182040794
        ),
        RemoteFile(
            "test_32x32.mat", _SVHN + "test_32x32.mat", "md5:eb5a983be6a315427106f1b164d9cef3", 64275384
        ),
        RemoteFile(
            "extra_32x32.mat", _SVHN + "extra_32x32.mat", "md5:a93ce644f1a588dc4d68dda5feec44a7", 1329278602
        ),
    ]
    return files if config.extra else files[:2]


def celeba(config: Any) -> list[RemoteFile]:
    """Aligned pictures, the official partition and, where it lies beside them, the table of attributes; a
    person fetches them by hand (Liu et al., 2015)."""
    files = (
        ("img_align_celeba.zip", "00d2c5bc6d35e252742224ab0c1e8fcb", 1443490838),
        ("list_eval_partition.txt", "d32c9cbf5e040fd4025c592c306e6668", 2836386),
        ("list_attr_celeba.txt", "75e246fa4810816ffd6ee81facbd244c", 26721026),
    )
    return [
        RemoteFile(name, None, f"md5:{md5}", size, _CELEBA, places=("celeba",), optional="attr" in name)
        for name, md5, size in files
    ]


def _small_imagenet(side: int, train: tuple[str, int], valid: tuple[str, int]) -> list[RemoteFile]:
    named = ((f"train_{side}x{side}.tar", train), (f"valid_{side}x{side}.tar", valid))
    return [
        RemoteFile(name, _SMALL + name, f"sha256:{sha}", size, _SMALL_PAGE) for name, (sha, size) in named
    ]


def imagenet32(config: Any) -> list[RemoteFile]:
    """Small ImageNet, 32x32, as two tarballs of PNG (van den Oord et al., 2016)."""
    return _small_imagenet(
        32,
        ("244a323d48f8d72f65ad8b54658c01fed68d2d7bdc77ccb43da58c11e94224e5", 4113018880),
        ("862e559462b24cf736212a19f6b0d47b55c2dc8ebdaa95ccecfe71260124c8f7", 161474560),
    )


def imagenet64(config: Any) -> list[RemoteFile]:
    """Small ImageNet, 64x64, as two tarballs of PNG (van den Oord et al., 2016)."""
    return _small_imagenet(
        64,
        ("e2a2c1947a748d0d256e98e6d82800d855441dc9e4de2e71a773f1324c4524d7", 12112588800),
        ("eeac03ec4f585baf871d2b4cb9c974bfe345e74878a74e5820fe6eb1041629cd", 477255680),
    )


def _downsampled(name: str, sha: str, size: int, also: tuple[str, ...] = ()) -> RemoteFile:
    return RemoteFile(name, _DOWNSAMPLED + name, f"sha256:{sha}", size, also=also)


def imagenet32_npz(config: Any) -> list[RemoteFile]:
    """Downsampled ImageNet, 32x32: training and validation batches (Chrabaszcz et al., 2017)."""
    return [
        _downsampled(
            "Imagenet32_train_npz.zip",
            "94226337ecc1b0309d9fcd0167127aaadc931587035fbcb53925235edbaec4fc",
            3580435279,
            ("md5:3e3d1b7ddb901d59d1fbcba69b3676fa", "md5:b0d308fb0016e41348a90f0ae772ee38"),
        ),
        _downsampled(
            "Imagenet32_val_npz.zip",
            "013990e6dec1237dcd1f9beadbab81ead6604cc119af5cacbfb59ae28148377a",
            139697668,
            ("md5:0300f7a8c5de0c82fb6fc6092b4858ed",),
        ),
    ]


def imagenet64_npz(config: Any) -> list[RemoteFile]:
    """Downsampled ImageNet, 64x64: two training archives and the validation one (Chrabaszcz et al., 2017)."""
    return [
        _downsampled(
            "Imagenet64_train_part1_npz.zip",
            "9422dc1dc5d092e9814a70a1cb7fc74880d2db5d88a0cb8a34ee363b12bde3f1",
            6783426789,
        ),
        _downsampled(
            "Imagenet64_train_part2_npz.zip",
            "9fafc115afb7e6c301e66dc16b2d737152b427bd5dab26e1293487a6819c7f30",
            6780506068,
        ),
        _downsampled(
            "Imagenet64_val_npz.zip",
            "e1e75133158a1924135a9c6f97a80d2d237b158945e0b34074e58e6c8430eeb8",
            529522927,
        ),
    ]


def _scene(scene: str, train: tuple[str, int], val: tuple[str, int]) -> list[RemoteFile]:
    named = ((f"{scene}_train_lmdb", train), (f"{scene}_val_lmdb", val))
    return [
        RemoteFile(f"{stem}.zip", f"{_LSUN}{stem}.zip", f"sha256:{sha}", size, unpacked=f"{stem}/data.mdb")
        for stem, (sha, size) in named
    ]


def lsun_bedroom(config: Any) -> list[RemoteFile]:
    """Bedrooms of LSUN: two zipped lmdb folders (Yu et al., 2015)."""
    return _scene(
        "bedroom",
        ("a15644c2e7153106867f0adb3491fc41224102d1f01b24494fb47d9f5d1f174e", 45922737680),
        ("5d022e781b241c25ec2e1f1f769afcdb8091d7fd58362667aec03137b8114b12", 4670661),
    )


def lsun_tower(config: Any) -> list[RemoteFile]:
    """Towers of LSUN: two zipped lmdb folders (Yu et al., 2015)."""
    return _scene(
        "tower",
        ("440caec74c9641cb51fd235a5970c8e4931c3af875aeb044a8bcca956e106309", 12010237081),
        ("7f5257847bc01f4e40d4a1b3e24dd8fcd37063f12ca8cf31e726c2ee0b1ae104", 5223709),
    )


def lsun_church(config: Any) -> list[RemoteFile]:
    """Churches from outside of LSUN: two zipped lmdb folders (Yu et al., 2015)."""
    return _scene(
        "church_outdoor",
        ("91128ae026840ac0c5982b4445ab5fc4e092d6847cca76793b2b1a0815c2e74a", 2448463466),
        ("34635b7547a3e51a15f942a4a4082dd6bc9cca381a953515cb2275c0eed50584", 5957308),
    )


def omniglot(config: Any) -> list[RemoteFile]:
    """Background and evaluation set, as torchvision reads them."""
    files = (
        ("images_background.zip", "md5:68d2efa1b9178cc56df9314c21c6e718", 9464212),
        ("images_evaluation.zip", "md5:6b91aef0f799c5bb55b94e3f2daec811", 6462886),
    )
    return [
        RemoteFile(name, _OMNIGLOT + name, md5, size, places=("omniglot-py",)) for name, md5, size in files
    ]


def omniglot_small(config: Any) -> list[RemoteFile]:
    """The two small background sets; their sha256 was computed here."""
    files = (
        (
            "images_background_small1.zip",
            "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
            1319022,
        ),
        (
            "images_background_small2.zip",
            "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
            1580917,
        ),
    )
    return [RemoteFile(name, _OMNIGLOT + name, f"sha256:{sha}", size) for name, sha, size in files]
