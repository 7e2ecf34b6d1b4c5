# why: the processes of multiprocessing find the script again
# needs: root
# run: progtc-run --policy standard FILE
# status: 0
# stdout: [0, 1, 8]
# stdout: [0, 1, 8]
# stderr: nothing
import multiprocessing as mp


def cube(x):
    return x ** 3


if __name__ == "__main__":
    for method in "spawn", "forkserver":
        with mp.get_context(method).Pool(2) as pool:
            print(pool.map(cube, range(3)))
