# needs: root
# needs: module matplotlib
# status: 0
# stdout: DejaVu Sans
# stdout: saved
# stdout: DejaVu Sans
# stdout: saved
# stdout: DejaVu Sans
# stdout: saved
# stderr: nothing
# leaves: ci/p.png
# leaves: standard/p.png
# leaves: data/p.png
cat > plot.py <<'END'
import matplotlib.pyplot as plt
from matplotlib import font_manager
plt.plot([3, 1, 2], label="line")
plt.title("Grüße")
plt.legend()
plt.savefig("/out/p.png")
print(font_manager.FontProperties(fname=font_manager.findfont(font_manager.FontProperties())).get_name())
print("saved")
END
for policy in ci standard data; do
  progtc-run --policy $policy --out $policy plot.py
done
