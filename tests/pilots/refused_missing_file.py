# Refused: the file is neither where the notebook looks nor beside it.

# %%
import pandas as pd
import matplotlib.pyplot as plt
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

# %%
DATA_DIR = '../input/nyc-taxi-trip-duration/'

# %%
trips = pd.read_csv(DATA_DIR + 'taxi_trips_2016.csv')
trips.head()

# %%
trips['trip_duration'].hist(bins=50)
plt.show()

# %%
X = trips[['passenger_count', 'pickup_longitude', 'pickup_latitude']]
y = trips['trip_duration']
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
model = LinearRegression().fit(X_train, y_train)
model.score(X_test, y_test)
